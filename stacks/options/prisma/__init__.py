"""The function in TypeScript on Prisma, and the store Accelerate. docs/options/prisma.md says when to choose it."""

from stacks.options.prisma.accelerate import Accelerate

__all__ = ["Accelerate"]
