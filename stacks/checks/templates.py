"""All templates of a stage, and their resources."""

from collections.abc import Iterable, Iterator
from functools import cached_property

from .template import Resource, Template


class Templates:
    """All templates that are deployed together: those of one stage, nested stacks included."""

    def __init__(self, templates: Iterable[Template]) -> None:
        self.templates: list[Template] = []
        for template in templates:
            self._add(template)

    def _add(self, template: Template) -> None:
        template.neighbours = self.templates
        self.templates.append(template)
        for nested in template.nested.values():
            self._add(nested)

    @cached_property
    def _by_type(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for resource in self:
            found.setdefault(resource.type, []).append(resource)
        return found

    def __iter__(self) -> Iterator[Resource]:
        for template in self.templates:
            yield from template.resources.values()

    def of_type(self, *types: str) -> list[Resource]:
        """Every resource of one of these types."""
        return [resource for kind in types for resource in self._by_type.get(kind, [])]
