"""What is measured of Prisma."""
