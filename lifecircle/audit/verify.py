"""Results held against their inputs: found again by digest, computed anew, and every file compared."""

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lifecircle.audit.contents import Difference, UnreadableError, compare, load_json
from lifecircle.errors import DataError
from lifecircle.language import say
from lifecircle.publish.files import restore
from lifecircle.sources import osm

_RULES = re.compile(r"standard|profile|groups\.(\d{1,4})")
_LAYER = re.compile(r"demand\.([a-z][a-z0-9_]*)")


_LIST = re.compile(r"(population|elevation|facilities|demand\.[a-z][a-z0-9_]*)((?:\.\d{1,4}){0,2})")


class _Part(BaseModel):
    """A further file an input is made of, by its name in the folder of that input."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    file: str = Field(pattern=r"^[^/\\\x00:][^\\\x00:]*$", max_length=1000)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(alias="bytes", ge=0)


class File(BaseModel):
    """An input, as a manifest names it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    file: str = Field(pattern=r"^[^/\\\x00]+$", max_length=255)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(alias="bytes", ge=0)
    path: str | None = None
    parts: tuple[_Part, ...] = ()


class _Asked(BaseModel):
    """What the study itself said, where the parameters say what came of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    year: int | None
    crs: str | None
    demand: dict[str, Literal["raster", "add", "places"]]


class _Said(BaseModel):
    """The part of a manifest that a run can be repeated by."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    schema_version: Literal[1] = Field(alias="schema")
    inputs: dict[str, File]
    rules: dict[str, File]
    parameters: dict[str, Any]
    as_asked: _Asked
    versions: Annotated[dict[str, str], Field(max_length=100)]


def _with_table(said: Any, path: str) -> Any:
    return said | {"table": path} if isinstance(said, dict) else said


@dataclass(frozen=True)
class Claim:
    """What a results folder says it was made from.

    Attributes
    ----------
    folder : Path
    inputs, rules : dict
        Its files, by the key of the study that names them.
    parameters : dict
        Keys of the study, without files.
    versions : dict of str
    """

    folder: Path
    said: _Said

    @classmethod
    def read(cls, folder: str | Path) -> "Claim":
        """Read the manifest of a results folder.

        Raises
        ------
        DataError
            It is not there, or does not say enough to repeat the run.
        """
        folder = Path(folder)
        restore(folder)
        try:
            return cls(folder, _Said.model_validate(load_json(folder / "manifest.json")))
        except UnreadableError as error:
            raise DataError(
                f"{folder} is no results folder of lifecircle ({error}); expected manifest.json in it"
            ) from error
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise DataError(
                f"the manifest of {folder} does not say what a run can be repeated by ({where}: {fault['msg']}); is it "
                "of an older version? Run again with this one"
            ) from error

    @property
    def other_versions(self) -> dict[str, tuple[str, str]]:
        """Libraries it was made with in another version than they are here: then and now."""
        now = {"python": _python()}
        for name in self.said.versions:
            if name not in now:
                try:
                    now[name] = metadata.version(name)
                except (metadata.PackageNotFoundError, ValueError):
                    now[name] = "not installed"
        return {name: (then, now[name]) for name, then in self.said.versions.items() if now[name] != then}

    def keys(self, *, inputs: str | Path | None = None, known: Sequence[str]) -> dict[str, Any]:
        """Keys of the study to run again, its files found and their digests right.

        Parameters
        ----------
        inputs : path, optional
            Folder to look for the files in first.
        known : sequence of str
            Keys of a study that name an input.

        Raises
        ------
        DataError
            An input is not to be found, or is another file than it was.
        """
        said, parameters = self.said, dict(self.said.parameters)
        for key in (*known, "out"):
            parameters.pop(key, None)
        parameters |= {"year": said.as_asked.year, "crs": said.as_asked.crs}
        layers = parameters.get("demand")
        layers = layers if isinstance(layers, dict) else {}
        parameters["demand"] = {
            name: {k: v for k, v in layer.items() if k not in {"raster", "add", "places"}}
            if isinstance(layer, dict)
            else layer
            for name, layer in layers.items()
        }
        listed = parameters.get("facilities")
        listed = [dict(one) if isinstance(one, dict) else one for one in listed] if isinstance(listed, list) else []
        parameters["facilities"] = listed
        roots = self._roots(inputs)
        for key, files in self._by_key().items():
            layer = _LAYER.fullmatch(key)
            name = layer[1] if layer else ""
            if layer and name in said.as_asked.demand and isinstance(parameters["demand"].get(name), dict):
                parameters["demand"][name][said.as_asked.demand[name]] = self._paths(key, files, roots)
            elif key == "facilities" and isinstance(files, dict) and len(files) == len(listed):
                paths = self._paths(key, files, roots)
                parameters[key] = [_with_table(one, path) for one, path in zip(listed, paths, strict=True)]
            elif key in known:
                parameters[key] = self._paths(key, files, roots)
            else:
                raise DataError(f"the manifest of {self.folder} names an input {key!r}, which no study has")
        return self._with_rules(parameters, roots)

    def _by_key(self) -> dict[str, Any]:
        """Order inputs by the key of a study: a file, or a list of them (``population.0``), or of such lists."""
        found: dict[str, Any] = {}
        for key, one in self.said.inputs.items():
            said = _LIST.fullmatch(key)
            name, *numbers = [said[1], *said[2].split(".")[1:]] if said else [key]
            inside: Any = found
            step: str | int = name
            for number in numbers:
                inside = inside.setdefault(step, {})
                step = int(number)
                if not isinstance(inside, dict) or step > len(inside):
                    raise DataError(f"the manifest of {self.folder} names an input {key!r}, which no study has")
            if step in inside:
                raise DataError(f"the manifest of {self.folder} names the input {key!r} in two ways")
            inside[step] = one
        return found

    def _paths(self, key: str, files: Any, roots: list[Path]) -> Any:
        """Paths of an input, found: one, or a list."""
        if isinstance(files, dict):
            return [self._paths(f"{key}.{ix}", files[ix], roots) for ix in range(len(files))]
        return self._found(key, files, roots)

    def _with_rules(self, parameters: dict[str, Any], roots: list[Path]) -> dict[str, Any]:
        """Put in the files of standards and profiles; what the manifest gives no digest of is not read."""
        groups = parameters.get("groups")
        groups = list(groups) if isinstance(groups, list) else []
        named = {"standard": parameters.get("standard"), "profile": parameters.get("profile")}
        named |= {f"groups.{ix}": name for ix, name in enumerate(groups)}
        for key, name in named.items():
            if isinstance(name, str) and name.endswith(".toml"):
                if key not in self.said.rules:
                    raise DataError(f"the manifest of {self.folder} has no digest of the file {key} was read from")
                found = self._found(key, self.said.rules[key], roots)
                if (number := _RULES.fullmatch(key)) and number[1]:
                    groups[int(number[1])] = found
                else:
                    parameters[key] = found
        return parameters | ({"groups": groups} if "groups" in parameters else {})

    def _roots(self, inputs: str | Path | None) -> list[Path]:
        if inputs is not None and not Path(inputs).is_dir():
            raise DataError(f"there is no folder {inputs}; --inputs names the one that holds the inputs")
        name = self.said.parameters.get("name")
        shipped = []
        if isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            shipped = [root / "data" / name for root in (Path.cwd(), Path(__file__).resolve().parents[2])]
        here = self.folder.resolve()
        return [*([Path(inputs)] if inputs is not None else []), here.parent, here, Path.cwd(), *shipped]

    def _found(self, key: str, one: File, roots: list[Path]) -> str:
        """Path of an input: the first file of its name whose digest is right."""
        tried = [root / one.file for root in roots]
        if one.path is not None and Path(one.path).name == one.file:
            tried.append(Path(one.path))  # where it was when the run was made
        others = []
        for path in dict.fromkeys(tried):
            try:
                if not path.is_file():
                    continue
                # A digest is asked only of what can be it: whoever wrote the manifest names no other file to be read.
                if _is(path, one) and all(_is(path.parent / part.file, part) for part in one.parts):
                    return str(path.resolve())
            except (OSError, ValueError):
                continue
            others.append(path)
        if others and one.parts and _is(others[0], one):
            missing = next(part for part in one.parts if not _is(others[0].parent / part.file, part))
            raise DataError(
                f"the input {key} has changed: {others[0]} is as it was, but not {missing.file} beside it, of "
                f"{missing.size:,} bytes with sha256 {missing.sha256}; name the folder that holds both: --inputs DIR"
            )
        if others:
            raise DataError(
                f"the input {key} has changed: the results were made from a {one.file} of {one.size:,} bytes with "
                f"sha256 {one.sha256}, and {others[0]} is another file; name the folder that holds the "
                "original: --inputs DIR"
            )
        folders = ", ".join(dict.fromkeys(str(path.parent) for path in tried))
        raise DataError(
            f"the input {key} is missing: a {one.file} of {one.size:,} bytes with sha256 {one.sha256} is in none of "
            f"{folders}; name the folder that holds it: --inputs DIR"
        )


def _is(path: Path, one: File | _Part) -> bool:
    """Whether a file is the one that is meant."""
    if ".." in Path(one.file).parts or not path.is_file():
        return False
    return path.stat().st_size == one.size and osm.digest(path) == one.sha256


@dataclass(frozen=True)
class Verification:
    """What came of holding a results folder against its inputs.

    Attributes
    ----------
    folder : Path
    compared : tuple of str
        Files compared.
    differences : tuple of Difference
        Empty where everything is as computed.
    more : int
        Differences beyond those told.
    other_versions : dict of (then, now)
        Libraries of other versions than the run's. Where there are none, every byte was compared, else what files say.
    """

    folder: Path
    compared: tuple[str, ...]
    differences: tuple[Difference, ...]
    more: int = 0
    other_versions: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether the folder says what its inputs give."""
        return not self.differences

    @property
    def line(self) -> str:
        """The verdict in a sentence."""
        how = say(*(("by what they say", "内容") if self.other_versions else ("to the byte", "字节")))
        if self.held:
            files_n = len(self.compared)
            return say(
                f"{self.folder}: verified. {files_n} files are what their inputs give, {how}.",
                f"{self.folder}：核验通过。{files_n} 个文件与由输入所得的{how}一致。",
            )
        n = len(self.differences) + self.more
        files = len({difference.file for difference in self.differences})
        where = f"{n:,} difference{'s' * (n > 1)} in {files} file{'s' * (files > 1)}"
        return say(
            f"{self.folder} is not what its inputs give: {where}",
            f"{self.folder} 与由输入所得不一致：{files} 个文件中 {n:,} 处",
        )

    def to_dict(self) -> dict[str, Any]:
        """As ``verify --json`` prints it."""
        return {
            "folder": str(self.folder), "verified": self.held, "files": list(self.compared),
            "differences": [vars(difference) for difference in self.differences], "more": self.more,
            "other_versions": {name: {"then": a, "now": b} for name, (a, b) in self.other_versions.items()},
        }  # fmt: skip

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(d.file)}</td><td>{escape(d.place)}</td><td>{escape(d.said)}</td>"
            f"<td>{escape(d.computed)}</td></tr>"
            for d in self.differences
        )
        head = "<tr><th>file</th><th>where</th><th>says</th><th>computed</th></tr>"
        return f"<p>{escape(self.line)}</p>" + (f"<table>{head}{rows}</table>" if rows else "")


def verify(
    folder: str | Path, run: Callable[[dict[str, Any], Path], object], *, known: Sequence[str],
    inputs: str | Path | None = None,
) -> Verification:  # fmt: skip
    """Compute a results folder again from its inputs, beside it, and compare every file.

    Parameters
    ----------
    folder : path
    run : callable
        Writes the results of a study, given by its keys, to a folder.
    known : sequence of str
        Keys of a study that name an input.
    inputs : path, optional
        Where the inputs are, if they are not where they were, beside the folder or in the working directory.

    Raises
    ------
    DataError
        The folder is none of lifecircle's, or an input is missing or has changed.
    """
    claim = Claim.read(folder)
    keys = claim.keys(inputs=inputs, known=known)
    with tempfile.TemporaryDirectory(prefix="lifecircle-verify-") as room:
        made = Path(room).resolve() / "results"
        run(keys, made)
        return against(claim, made)


def against(claim: Claim, made: Path) -> Verification:
    """Compare every file of a claim's folder with those computed anew."""
    other = claim.other_versions
    names = sorted(path.name for path in made.iterdir())
    there = {path.name for path in claim.folder.iterdir()}
    found = [Difference(name, "file", "missing", "part of the results") for name in names if name not in there]
    found += [
        Difference(name, "file", "there", "no part of the results; remove it") for name in sorted(there - set(names))
    ]
    more = 0
    for name in names:
        if name in there:
            told, untold = compare(claim.folder / name, made / name, strict=not other)
            found += told
            more += untold
    return Verification(claim.folder, tuple(n for n in names if n in there), tuple(found), more, other)


def _python() -> str:
    import platform

    return platform.python_version()
