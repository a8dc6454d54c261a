"""F5: SystemManager: builds the parts, owns the engine's thread, and steers it."""

from mismartera.system.manager import SystemManager

__all__ = ["SystemManager"]
