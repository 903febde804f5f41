from tests.prisma.fixtures import prisma_accelerate, prisma_proxy, prisma_websocket  # noqa: F401 (fixtures)
