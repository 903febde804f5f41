"""How the service keeps its projects in one DynamoDB table."""
