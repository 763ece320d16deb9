"""What the reference of the documentation is generated with: nothing of it is written by hand."""
