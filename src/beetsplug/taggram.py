"""Genres and moods by listening, for beets: `plugins: taggram`.

Every item gets the standard field `genres`, the field `moods` (MOOD in the file), and
`taggram_scores`, `taggram_model` and `taggram_time`, which stand in the file, too. Beyond that, the score
of every tag that was heard is a number in beets' database, so that `beet ls taggram_piano:0.3..` works;
other characters than letters and digits in a tag become `_`.

Options mean what they mean in lastgenre (auto, canonical, count, fallback, force, keep_existing,
min_weight, prefer_specific, pretend, source, title_case, whitelist), with these differences:

    min_weight   per cent of the score; by default each tag's own threshold, or 20
    count        3 by default
    source       "track" gives every item its own genres, "album" all items those of the album's mean
    whitelist    no by default: the model's genres are few; a path names a file, yes is lastgenre's own
    canonical    no, a path, or yes for lastgenre's own tree

    model        name or file of a model; the one that ships by default
    taxonomy     a taxonomy of Taggram's, in place of the options for genres
    moods        whether to fill `moods`; yes by default

As with lastgenre, beets itself decides when files are written: while importing what it has tagged, and
otherwise by `beet write`. An album's own `genres` are those of the mean of its items.

For beets 2.7 or newer, where `genres` is a list.
"""

import os
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import mediafile
from beets import ui
from beets.dbcore import types
from beets.importer import ImportSession, ImportTask
from beets.library import Album, Item, Library
from beets.plugins import BeetsPlugin

from taggram.errors import TaggramError
from taggram.inference.result import TagResult, TagScore

LEAST_STORED = 0.1
"""Scores below are not stored: beets keeps each in a row of its own."""

_PREFIX = "taggram_"


class TaggramPlugin(BeetsPlugin):  # type: ignore[misc]
    """Fills genres and moods by listening, when importing and by `beet taggram`."""

    def __init__(self) -> None:
        super().__init__()
        self.config.add(
            {
                "auto": True,
                "canonical": False,
                "count": 3,
                "fallback": None,
                "force": False,
                "keep_existing": False,
                "min_weight": None,
                "prefer_specific": False,
                "pretend": False,
                "source": "track",
                "title_case": True,
                "whitelist": False,
                "model": None,
                "taxonomy": None,
                "moods": True,
            }
        )
        self._lock = threading.Lock()
        self._loaded: Any = None
        for name, descriptor in _media_fields().items():
            self.add_media_field(name, descriptor)
        if self.config["auto"].get(bool):
            self.import_stages = [self.imported]
        self.register_listener("cli_exit", self._close)

    @cached_property
    def item_types(self) -> dict[str, types.Type]:
        """Types of the fields: one number per tag of the model, so that ranges can be searched for."""
        from taggram.modelfile.cache import resolve_model
        from taggram.modelfile.reader import load_model_file

        named: dict[str, types.Type] = {"moods": types.MULTI_VALUE_DSV}
        try:
            specification = load_model_file(resolve_model(self._model)).specification
        except TaggramError as error:
            self._log.warning("{}", error)
            return named
        return named | {field_of(tag.name): types.Float(digits=3) for tag in specification.tags}

    def commands(self) -> list[ui.Subcommand]:
        """Add `beet taggram`."""
        command = ui.Subcommand("taggram", help="fill genres and moods by listening")
        parser = command.parser
        parser.add_option("-p", "--pretend", action="store_true", help="show what would change")
        parser.add_option("-f", "--force", dest="force", action="store_true", help="modify existing genres")
        parser.add_option(
            "-F", "--no-force", dest="force", action="store_false", help="don't modify existing genres"
        )
        parser.add_option(
            "-k",
            "--keep-existing",
            dest="keep_existing",
            action="store_true",
            help="combine with existing genres when modifying",
        )
        parser.add_option(
            "-K",
            "--no-keep-existing",
            dest="keep_existing",
            action="store_false",
            help="don't combine with existing genres when modifying",
        )
        parser.add_option("-s", "--source", dest="source", type="string", help="genre source: album or track")
        parser.add_option(
            "-A", "--items", action="store_false", dest="album", help="match items instead of albums"
        )
        parser.add_option(
            "-a",
            "--albums",
            action="store_true",
            dest="album",
            help="match albums instead of items (default)",
        )
        parser.set_defaults(album=True)
        command.func = self._run
        return [command]

    def imported(self, session: ImportSession, task: ImportTask) -> None:
        """Listen to what is being imported; the importer writes the files afterwards."""
        if task.is_album:
            self._process_album(task.album, write=False)
        else:
            self._process_items([task.item], write=False)

    def _run(self, library: Library, options: Any, arguments: Sequence[str]) -> None:
        self.config.set_args(vars(options))
        if options.album:
            for album in library.albums(arguments):
                self._process_album(album, write=ui.should_write())
        else:
            self._process_items(library.items(arguments), write=ui.should_write())

    def _process_items(self, items: Iterable[Item], *, write: bool) -> None:
        for item, result in self._listen(items):
            self._fill(item, _words(result))
            self._store_scores(item, result)
            self._show_and_store(item, write=write)

    def _process_album(self, album: Album, *, write: bool) -> None:
        heard = list(self._listen(album.items()))
        if not heard:
            return
        mean = _mean([words for _, result in heard if (words := _words(result))])
        is_by_album = self.config["source"].as_choice(["track", "album"]) == "album"
        for item, result in heard:
            self._fill(item, mean if is_by_album else _words(result))
            self._store_scores(item, result)
            self._show_and_store(item, write=write)
        self._fill(album, mean)
        if not self.config["pretend"]:
            album.store(inherit=False)

    def _listen(self, items: Iterable[Item]) -> Iterator[tuple[Item, TagResult]]:
        """Yield items with what was heard in them; those that have everything are left out."""
        wanted = [item for item in items if self.config["force"] or not item.get(f"{_PREFIX}model")]
        paths = [Path(os.fsdecode(item.path)) for item in wanted]
        try:
            results = self._tagger.tag_many(paths) if wanted else ()
        except TaggramError as error:
            raise ui.UserError(f"taggram: {error}") from error
        for item, result in zip(wanted, results, strict=True):
            if result.outcome.has_tags:
                yield item, result
            else:
                self._log.warning("{}: {}: {}", item, result.outcome.value, result.message)

    def _fill(self, entity: Item | Album, tags: Sequence[TagScore]) -> None:
        for rule in self._taxonomy.rules:
            field = {"genre": "genres", "mood": "moods"}.get(rule.name, rule.name)
            if isinstance(entity, Album) and field != "genres":
                continue
            now = entity.get(field) or []
            before = tuple([now] if isinstance(now, str) else now)
            after = self._merge(before, rule, tags)
            if field == "genres" and not after and (fallback := self.config["fallback"].get()):
                after = (fallback,)
            if after != before:
                entity[field] = list(after) if field in ("genres", "moods") else "; ".join(after)

    def _merge(self, before: tuple[str, ...], rule: Any, tags: Sequence[TagScore]) -> tuple[str, ...]:
        from taggram.library.file_tags.plan import Policy, merge_values

        policy = Policy("fill")
        if self.config["force"]:
            policy = Policy("add", only_whitelist=True) if self.config["keep_existing"] else Policy("replace")
        thresholds = {t.name: t.threshold for t in self._tagger.specification.tags if t.threshold is not None}
        return merge_values(before, rule.propose(tags, thresholds), rule, policy)

    def _store_scores(self, item: Item, result: TagResult) -> None:
        from datetime import UTC, datetime

        for key in [key for key in item if key.startswith(_PREFIX)]:
            del item[key]
        strong = [tag for tag in result.tags if tag.score >= LEAST_STORED]
        for tag in strong:
            item[field_of(tag.name)] = round(tag.score, 4)
        specification = self._tagger.specification
        item[f"{_PREFIX}scores"] = "; ".join(f"{tag.name}={tag.score:.2f}" for tag in strong)
        item[f"{_PREFIX}model"] = f"{specification.name} {specification.weights_sha256[:8]}"
        item[f"{_PREFIX}time"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _show_and_store(self, item: Item, *, write: bool) -> None:
        ui.show_model_changes(item, fields=["genres", "moods"])
        if not self.config["pretend"]:
            item.try_sync(write=write, move=False)

    @property
    def _model(self) -> str | None:
        name = self.config["model"].get()
        return None if name is None else str(Path(str(name)).expanduser())

    @property
    def _tagger(self) -> Any:
        from taggram.inference.tagger import Tagger

        with self._lock:  # beets imports several albums at a time
            if self._loaded is None:
                self._loaded = Tagger.load(self._model)
            return self._loaded

    @cached_property
    def _taxonomy(self) -> Any:
        from taggram.library.taxonomy import Rule, Taxonomy, load_taxonomy

        try:
            if path := self.config["taxonomy"].get():
                return load_taxonomy(Path(path).expanduser())
            rules = [self._genre_rule()]
        except TaggramError as error:
            raise ui.UserError(f"taggram: {error}") from error
        if self.config["moods"].get(bool):
            rules.append(Rule("mood", frozenset({"mood"}), min_score=rules[0].min_score))
        return Taxonomy(tuple(rules))

    def _genre_rule(self) -> Any:
        from taggram.library import taxonomy

        whitelist = self._lastgenre_file("whitelist", "genres.txt")
        tree = self._lastgenre_file("canonical", "genres-tree.yaml")
        if tree is None and self.config["prefer_specific"]:
            tree = _lastgenre_folder() / "genres-tree.yaml"
        least = self.config["min_weight"].get()
        rule = taxonomy.make_rule(
            "genre",
            ["genre"],
            whitelist=taxonomy.read_whitelist(whitelist) if whitelist else (),
            tree=taxonomy.read_tree(tree) if tree else {},
        )
        return replace(
            rule,
            min_score=None if least is None else float(least) / 100,
            count=self.config["count"].get(int),
            prefer_specific=self.config["prefer_specific"].get(bool),
            title_case=self.config["title_case"].get(bool),
        )

    def _lastgenre_file(self, option: str, name: str) -> Path | None:
        chosen = self.config[option].get()
        if chosen is True:
            return _lastgenre_folder() / name
        return Path(chosen).expanduser() if chosen else None

    def _close(self, **_: object) -> None:
        if self._loaded is not None:
            self._loaded.close()


def field_of(tag: str) -> str:
    """Return the name of the field that holds the score of a tag."""
    return _PREFIX + re.sub(r"\W+", "_", tag.lower()).strip("_")


def _words(result: TagResult) -> tuple[TagScore, ...]:
    """Return what may be called by words; nothing if the sound is no music, or the model is not sure."""
    return () if result.is_unsure else result.tags


def _mean(heard: Sequence[Sequence[TagScore]]) -> tuple[TagScore, ...]:
    """Return the mean scores of several items."""
    scores: dict[str, float] = {}
    for tag in (tag for tags in heard for tag in tags):
        scores[tag.name] = scores.get(tag.name, 0.0) + tag.score / len(heard)
    return tuple(replace(tag, score=scores[tag.name]) for tag in heard[0]) if heard else ()


def _lastgenre_folder() -> Path:
    import beetsplug

    return next(path for place in beetsplug.__path__ if (path := Path(place, "lastgenre")).is_dir())


def _media_fields() -> dict[str, mediafile.MediaField]:
    """Return the fields that stand in the files, under the names that `taggram.library.file_tags` uses."""
    fields = {
        "moods": mediafile.ListMediaField(
            mediafile.MP3ListStorageStyle("TMOO"),
            mediafile.MP4ListStorageStyle("----:com.apple.iTunes:MOOD"),
            mediafile.ListStorageStyle("MOOD"),
            mediafile.ASFStorageStyle("WM/Mood"),
        )
    }
    for name in ("TAGGRAM_SCORES", "TAGGRAM_MODEL", "TAGGRAM_TIME"):
        fields[name.lower()] = mediafile.MediaField(
            mediafile.MP3DescStorageStyle(name),
            mediafile.MP4StorageStyle(f"----:com.apple.iTunes:{name}"),
            mediafile.StorageStyle(name),
            mediafile.ASFStorageStyle(name),
        )
    return fields
