async def swift_program(name: str, *arguments: str) -> str:
    raise NotImplementedError
