-- What is new comes with EXECUTE for PUBLIC.

revoke execute on all functions in schema pgflow from public;
