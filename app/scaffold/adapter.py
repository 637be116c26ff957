"""The adapter of a new integration, written from its port: the same methods, parameters and types."""

import ast
from collections.abc import Iterable
from pathlib import Path

from app.ports import PortPlace

_BODIES = {
    "submit": """\
        content = msgspec.to_builtins({first}, str_keys=True)
        matter = await self._client.register({first}.reference, content)
        return Receipt(matter.number)""",
    "find": """\
        matters = await self._client.search({first}.reference)
        free = [matter for matter in matters if matter.number not in {second}]
        return Receipt(free[0].number) if free else None""",
    "progress": """\
        matter = await self._client.read({first})
        steps = [Step(matter.state, matter.state.capitalize(), "current")]
        return Progress(STATUS.get(matter.state, "in_review"), steps)""",
}
_NOT_OFFERED = '        raise NotOffered(self._name, "{method}", "the backend has no such operation")'
_STATUS = 'STATUS: Mapping[str, Status] = {"received": "submitted", "checked": "in_review", "granted": "approved"}'
_BODY_IMPORTS = {
    "submit": {"msgspec": "", "Receipt": "app.cases.port"},
    "find": {"Receipt": "app.cases.port"},
    "progress": {
        "Progress": "app.cases.port",
        "Status": "app.cases.port",
        "Step": "app.cases.port",
        "Mapping": "collections.abc",
    },
}


def adapter_parts(place: PortPlace, root: Path, name: str, class_prefix: str) -> dict[str, str]:
    """Words for the adapter's template: the port's class, its methods, and the imports they need."""
    port_module = f"{place.package}.port"
    tree = ast.parse((root / f"{port_module.replace('.', '/')}.py").read_text("utf-8"))
    port = _port_class(tree, place.port)
    methods = [node for node in port.body if isinstance(node, ast.AsyncFunctionDef)]
    known = _where_names_come_from(tree, port_module)
    needed = {
        port.name: port_module,
        "AgencyClient": "app.agency_client",
        f"{class_prefix}Client": f"integrations.{name}.client",
    }
    for method in methods:
        needed |= _BODY_IMPORTS.get(method.name, {"NotOffered": "app.errors"})
        needed |= {word: known[word] for word in _names_in(method) if word in known}
    status = f"\n\n{_STATUS}" if any(method.name == "progress" for method in methods) else ""
    return {
        "Port": port.name,
        "methods": "".join(f"\n{_written(method)}\n" for method in methods).rstrip("\n"),
        "imports": _import_lines(needed) + status,
    }


def _written(method: ast.AsyncFunctionDef) -> str:
    given = [argument.arg for argument in method.args.args[1:]]
    body = _BODIES.get(method.name, _NOT_OFFERED)
    names = {"method": method.name, "first": given[0] if given else "", "second": given[1] if len(given) > 1 else ""}
    returns = f" -> {ast.unparse(method.returns)}" if method.returns else ""
    return f"    async def {method.name}({ast.unparse(method.args)}){returns}:\n{body.format(**names)}"


def _port_class(tree: ast.Module, wanted: str) -> ast.ClassDef:
    """The abstract class of a port.py that is called `wanted`, or the only one."""
    abstract = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "ABC" for base in node.bases)
    ]
    return next((node for node in abstract if node.name == wanted), abstract[0])


def _where_names_come_from(tree: ast.Module, port_module: str) -> dict[str, str]:
    """Each name the port's file has, and the module it is imported from or defined in."""
    known = {node.name: port_module for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            known |= {alias.name: node.module for alias in node.names}
    return known


def _names_in(method: ast.AsyncFunctionDef) -> Iterable[str]:
    annotations = [argument.annotation for argument in (*method.args.args, *method.args.kwonlyargs)]
    for annotation in (*annotations, method.returns):
        if annotation is not None:
            yield from (node.id for node in ast.walk(annotation) if isinstance(node, ast.Name))


def _import_lines(needed: dict[str, str]) -> str:
    """Import statements in the order ruff wants: standard library, what is installed, ours."""
    groups: tuple[list[str], list[str], list[str]] = ([], [], [])
    for module in sorted(set(needed.values())):
        names = sorted((name for name, origin in needed.items() if origin == module), key=_import_order)
        if not module:
            groups[1].extend(f"import {name}" for name in names)
            continue
        ours = module.split(".")[0] in ("app", "services", "integrations")
        groups[2 if ours else 0].append(f"from {module} import {', '.join(names)}")
    return "\n\n".join("\n".join(group) for group in groups if group)


def _import_order(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)
