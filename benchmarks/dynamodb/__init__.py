"""What is measured of DynamoDB."""
