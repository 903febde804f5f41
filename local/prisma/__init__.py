"""What stands in for what lambda_src/prisma meets on AWS: the runtime, Neon's WebSocket, Accelerate."""
