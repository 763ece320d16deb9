"""The pages of the project."""

from django.contrib import admin
from django.urls import path

from tests.integration.django.shop.orders import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("orders/", views.place_order),
    path("orders/and-wait/", views.place_order_and_wait),
    path("orders/and-follow/", views.place_order_and_follow),
    path("orders/out-of-transaction/", views.place_order_out_of_transaction),
    path("runs/<run_id>/events/", views.follow),
]
