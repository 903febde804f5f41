"""DynamoDB on this machine: the table is the local AWS's own."""
