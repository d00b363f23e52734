"""The project: a thin front for everything below. No method here holds logic of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, overload

from allrounder.checking import CheckReport, check, load_records, ruled
from allrounder.evaluation import Report
from allrounder.kinds import build
from allrounder.knowledge import MentionFacts, as_day
from allrounder.lazy import lazy
from allrounder.plan import Plan, make_plan, read_plan
from allrounder.pretraining import Masked
from allrounder.records import Source
from allrounder.rules.analysis import Findings, findings_from
from allrounder.rules.trying import Trials, tried
from allrounder.runs import Run, latest
from allrounder.training import Gate, Twins
from allrounder.types import Among, Day

if TYPE_CHECKING:
    from allrounder import (
        asking,
        explaining,
        gating,
        judging,
        labeling,
        labels,
        prediction,
        relabeling,
        running,
        shadowing,
        synthesizing,
        writing,
    )
    from allrounder.labeling import Ready
    from allrounder.labels import Exported, Imported
    from allrounder.pretraining import verb as pretraining
    from allrounder.pretraining.report import PretrainingReport
    from allrounder.synthesis.report import SynthesisReport
    from allrounder.tuning import search as searching
    from allrounder.tuning.report import SearchReport
else:
    asking = lazy("allrounder.asking")
    judging, prediction = lazy("allrounder.judging"), lazy("allrounder.prediction")
    explaining, shadowing = lazy("allrounder.explaining"), lazy("allrounder.shadowing")
    gating, writing = lazy("allrounder.gating"), lazy("allrounder.writing")
    labels, labeling = lazy("allrounder.labels"), lazy("allrounder.labeling")
    synthesizing, relabeling = lazy("allrounder.synthesizing"), lazy("allrounder.relabeling")
    pretraining = lazy("allrounder.pretraining.verb")
    running, searching = lazy("allrounder.running"), lazy("allrounder.tuning.search")

Tell = Callable[[str, float, float, str], None]


def _silent(stage: str, done: float, total: float, word: str) -> None:
    """Tell nobody."""


class Project:
    """One project file, and the runs trained from it.

    Args:
        plan: the project file, read.
        run: the run that answers, where the project was loaded from a run folder.
        tell: called as long work goes on: stage, how much is done, of how much, a word.
    """

    def __init__(self, plan: Plan, *, run: Run | None = None, tell: Tell = _silent) -> None:
        self.plan = plan
        self.tell = tell
        self._run = run

    @classmethod
    def load(
        cls, path: str | Path, *, changes: Sequence[str] = (), tell: Tell = _silent
    ) -> "Project":
        """Load a project file, or a run folder.

        Args:
            path: a YAML file, or the folder of a run.
            changes: overrides of a project file, such as `training.lr=1e-4`.
            tell: called as long work goes on.

        Raises:
            ProjectError: the file is not a project file.
            RunError: the folder is not a run that this version can read.
        """
        path = Path(path)
        if not path.is_dir():
            return cls(read_plan(path, changes), tell=tell)
        run = Run.open(path)
        folder = path / run.about.get("project_folder", ".")
        return cls(make_plan(run.project(), folder=folder, name=path.name), run=run, tell=tell)

    @property
    def runs(self) -> Path:
        """The folder in which runs are numbered."""
        return self.plan.folder / "runs"

    @property
    def run(self) -> Run:
        """The run that answers: the one loaded, or the latest complete one."""
        return self._run or latest(self.runs)

    def check(self, *, sharing: bool = False) -> CheckReport:
        """Read every source and look at what is there; nothing is trained, torch is not loaded.

        Args:
            sharing: train the shared model shortly too, to advise on sharing it; the report of
                the next training says whether the advice came true.
        """
        found = check(self.plan, tell=self.tell)
        if not sharing:
            return found
        records = load_records(self.plan, tell=self.tell)
        advice = judging.advise_on_sharing(self.plan, records, self.tell)
        return replace(found, sharing=advice)

    def check_rules(self) -> Findings:
        """Say which rules contradict one another, never speak, or follow from others."""
        rules, terms = ruled(self.plan, self.tell)
        return findings_from(date.today(), rules.decoding(), terms)

    def test_rules(self) -> Trials:
        """Try every rule on its own test cases."""
        base = self.plan.base()
        return tried(*ruled(self.plan, self.tell), base and MentionFacts(base))

    def pretrain(
        self,
        *,
        resume: bool = False,
        judge: bool = False,
        seeds: int = 3,
        budget: float = 1.0,
        out: str | None = None,
    ) -> "PretrainingReport":
        """Let the encoder of a text input go on learning on the project's texts, without labels.

        What comes of it is a Hugging Face folder that the input can name as its `model`.

        Args:
            resume: go on with the latest interrupted pretraining instead of starting a new one;
                where it is judged, with the latest one.
            judge: train the tasks without and with it, and write a project file that adopts it
                where that is a gain beyond noise.
            seeds: how many seeds both are trained with; with one, intervals are over records.
            budget: the share of the epochs both get.
            out: the name of that project file.
        """
        settings = self.plan.pretraining or Masked()
        gate = build(Gate, {"seeds": seeds, "budget": budget}, at="pretrain --judge")
        target = gating.check_judged(self.plan, out) if judge else None
        name = settings.chosen(self.plan.inputs)
        encoder = self.plan.inputs[name]
        encoder = encoder if settings.scratch else encoder.at(self.plan.folder)
        records = load_records(self.plan, trains=judge, tell=self.tell)
        report = pretraining.pretrain(
            settings,
            encoder,
            records,
            name=name,
            folder=self.plan.folder / "pretraining",
            cache=self.plan.cache / "tokens",
            resume=("latest" if judge else "interrupted") if resume else None,
            tell=self.tell,
        )
        if target is None:
            return report
        options = {"gate": gate, "target": target, "tell": self.tell}
        return gating.judge_pretrained(self.plan, records, report, **options)

    def synthesize(
        self, *, resume: bool = False, judge: bool = False, seeds: int = 3, budget: float = 1.0
    ) -> "SynthesisReport":
        """Make labels from the training records, and keep the good ones in the ledger.

        Args:
            resume: go on with the latest interrupted synthesis instead of starting a new one; where
                it is judged, with the latest one.
            judge: train without made labels and with those of each kind, and keep only kinds that
                gain beyond noise.
            seeds: how many seeds each is trained with; with one, intervals are over records.
            budget: the share of the epochs each gets.
        """
        gate = build(Gate, {"seeds": seeds, "budget": budget}, at="synthesize --judge")
        tell, seed = self.tell, self.plan.training.seed
        goes_on = ("latest" if judge else "interrupted") if resume else None
        report = synthesizing.synthesize(self.plan, runs=self.runs, resume=goes_on, tell=tell)
        if not judge or not report.kinds:
            return report
        return synthesizing.judge_made(self.plan, report, gate=gate, seed=seed, tell=tell)

    def export_labels(
        self, target: str | Path, *, format: str | None = None, task: str | None = None
    ) -> "Exported":
        """Write the labels that people gave into a file, with who said it, when and how long.

        Args:
            target: the file; it appears whole or not at all.
            format: jsonl, csv, parquet, conll, label-studio or prodigy; by default what its suffix
                says.
            task: only labels of this task.
        """
        return labels.export_labels(self.plan, Path(target), format=format, task=task)

    def import_labels(
        self, path: str | Path, *, dry_run: bool = False, **options: Any
    ) -> "Imported":
        """Add the labels of a file to the ledger; what is in it already is not added again.

        Args:
            path: the file.
            dry_run: only look what would be added.
            options: `format`; `task`, where the file does not say; `map`, names of the file to
                fields and tasks; `who`, where it names nobody.
        """
        return labels.import_labels(self.plan, Path(path), dry_run=dry_run, **options)

    def add_labels(self, task: str, names: Sequence[str]) -> "relabeling.Relabelled":
        """Add labels to a task, in the project file."""
        return relabeling.add_labels(self.plan, task, names, tell=self.tell)

    def rename_label(
        self, task: str, old: str, new: str, *, dry_run: bool = False
    ) -> "relabeling.Relabelled":
        """Give a label another name, or merge it into one that is there, in the project file.

        Records and answers stay as they are, and are read by the new name.
        """
        return relabeling.rename_label(self.plan, task, old, new, dry_run=dry_run, tell=self.tell)

    def train(self, *, resume: bool = False) -> Report:
        """Train one model for all tasks and judge it on the test records.

        Args:
            resume: go on with the latest interrupted run instead of starting a new one.
        """
        going = (self._run or latest(self.runs, complete=False)) if resume else None
        options = {"runs": self.runs, "going": going, "tell": self.tell}
        self._run, report = running.make_run(self.plan, **options)
        self.__dict__.pop("predictor", None)  # it answered for an older run
        return report

    def evaluate(
        self,
        *,
        split: str = "test",
        data: str | Path | None = None,
        format: str | None = None,
        map: Mapping[str, str] | None = None,
    ) -> Report:
        """Judge the run on the records of a split, or on all records of another file.

        Args:
            split: `train`, `validation` or `test`.
            data: a file of any source format, with labels.
            format: of the file, where its suffix does not tell.
            map: columns of the file to fields and tasks.
        """
        plan = self._trained()
        if data is not None:
            options = {"format": format, "map": dict(map or {})}
            source = Source(path=str(Path(data).absolute()), split=split, **options)
            plan = replace(plan, sources=[source])
        records = load_records(plan, trains=data is None, tell=self.tell)
        return judging.evaluate(plan, records, self.run, split=split, tell=self.tell)

    def evaluate_twins(self, *, seeds: int = 1, budget: float = 1.0) -> Report:
        """Train a twin of every task that learns nothing else; report what sharing did to each.

        A task that sharing hurt is answered by its twin from then on.

        Args:
            seeds: how many seeds both sides are trained with; with one, intervals are over records.
            budget: the share of the epochs both sides get; less than 1 changes nothing.
        """
        plan = self._trained()
        twins = build(Twins, {"seeds": seeds, "budget": budget}, at="training.twins")
        self.__dict__.pop("predictor", None)
        records = load_records(plan, tell=self.tell)
        return judging.evaluate_twins(plan, records, self.run, twins=twins, tell=self.tell)

    def ask(
        self, n: int | None = None, *, minutes: float | None = None, strategy: str | None = None
    ) -> "asking.Asking":
        """Choose the questions most worth asking people next, and put them into the ledger.

        Args:
            n: how many; by default `active.n`.
            minutes: as many as people can answer in that time, instead of `n`.
            strategy: a kind to choose by, instead of that of the `active` section.
        """
        options = {"n": n, "minutes": minutes, "strategy": strategy}
        return asking.ask(self.plan, runs=self.runs, tell=self.tell, **options)

    def simulate(
        self,
        strategies: Sequence[str] = (),
        *,
        n: int | None = None,
        rounds: int = 20,
        seeds: int = 3,
    ) -> "asking.Replay":
        """Replay labels that are there, as if they were asked for one by one.

        Args:
            strategies: the kinds to compare with random ones; by default that of `active`.
            n: questions of a round.
            rounds: how many.
            seeds: how often, each with other random choices.
        """
        options = {"kinds": strategies, "n": n, "rounds": rounds, "seeds": seeds}
        return asking.simulate(self.plan, runs=self.runs, tell=self.tell, **options)

    def doubts(self, n: int = 50, *, tasks: Sequence[str] = ()) -> "asking.Doubts":
        """Return the labels that are likely wrong; the page shows them to reviewers.

        Args:
            n: how many.
            tasks: which tasks are looked at; by default all.
        """
        return asking.doubts(self.plan, runs=self.runs, n=n, tasks=tasks, tell=self.tell)

    def tune(
        self,
        search: Sequence[str] = (),
        *,
        trials: int | None = None,
        workers: int = 1,
        out: str | Path | None = None,
        resume: bool = False,
    ) -> "SearchReport":
        """Search keys of the project file for the values that serve validation records best.

        Args:
            search: where to search each key, such as `training.lr=log(1e-5,1e-3)`.
            trials: how many trials are to end; 20 by default.
            workers: how many are trained at a time.
            out: the name of the project file with the best values.
            resume: go on with the latest search; none of its finished trials is lost.
        """
        options = {"trials": trials, "workers": workers, "out": out, "resume": resume}
        return searching.tune(self.plan, search=search, tell=self.tell, **options)

    def label(
        self,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        ready: Callable[["Ready"], None] = lambda _: None,
    ) -> None:
        """Serve the page where people label records, until somebody stops it.

        Args:
            host: the address to be reached at; any but this machine's own needs named people.
            port: the port; by default the first free one from 8400.
            ready: called once, when the page can be opened.
        """
        labeling.serve(self.plan, host=host, port=port, ready=ready, tell=self.tell)

    def _trained(self) -> Plan:
        """Return the plan of the run: labels learned, sources beside the project file."""
        return make_plan(self.run.project(), folder=self.plan.folder)

    @cached_property
    def predictor(self) -> "prediction.Predictor":
        """The run, loaded once and ready to answer."""
        return prediction.Predictor(self._trained(), self.run)

    @overload
    def predict(
        self, records: Mapping[str, Any], *, among: Among = None, as_of: Day = None
    ) -> dict[str, Any]: ...
    @overload
    def predict(
        self, records: Sequence[Mapping[str, Any]], *, among: Among = None, as_of: Day = None
    ) -> list[dict[str, Any]]: ...

    def predict(self, records: Any, *, among: Among = None, as_of: Day = None) -> Any:
        """Answer every task for one record, or for each of several.

        Args:
            records: `{field: value}`, or a list of such. A value is a text, a number, or for a
                file its path, a data URI or its bytes.
            among: records that match tasks choose from, or a file of them; by default the values
                of the run's own records.
            as_of: answer with the facts and the rules that hold on this day, such as
                `2025-01-31`; by default today.
        """
        options = {"among": among, "as_of": as_day(as_of)}
        if isinstance(records, Mapping):
            return self.predictor.rows([records], **options)[0]
        return self.predictor.rows(list(records), **options)

    def explain(self, record: Mapping[str, Any], *, as_of: Day = None) -> dict[str, Any]:
        """Return the answers to a record, and the reasons: what they would be without each fact.

        Args:
            record: `{field: value}`.
            as_of: as in `predict`.
        """
        return explaining.explained(self.predictor, record, as_of=as_day(as_of))

    def predict_pieces(
        self, record: Mapping[str, Any], *, as_of: Day = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the answers to a record as they come: texts bit by bit, all others at once, first.

        Args:
            record: `{field: value}`.
            as_of: as in `predict`.
        """
        return writing.told(self.predictor, record, as_of=as_day(as_of))

    def shadow(
        self, version: int, source: str | Path | IO[bytes], *, as_of: Day = None, **options: Any
    ) -> Iterator[dict[str, Any]]:
        """Yield the records of a file whose answers a version of the facts would change.

        Args:
            version: of the store, such as one that is staged.
            source: a file of any source format.
            as_of: as in `predict`.
            options: `format` and `map`, as in `predict_file`.
        """
        source = Path(source) if isinstance(source, str | Path) else source
        side = shadowing.Shadow.of(self.predictor, version, as_of=as_day(as_of))
        return side.flips(source, **options)

    def replay(self, explanation: Mapping[str, Any]) -> dict[str, Any]:
        """Explain a record again with the facts that a stored explanation was made with."""
        return explaining.replayed(self.predictor, explanation)

    def predict_file(
        self,
        source: str | Path | IO[bytes],
        target: str | Path,
        *,
        format: str | None = None,
        map: Mapping[str, str] | None = None,
        among: Among = None,
        as_of: Day = None,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """Answer every row of a file into another, in order and in little memory; return how many.

        Args:
            source: a file of any source format, or an open binary file.
            target: .jsonl, .csv, .tsv or .parquet; it appears whole or not at all.
            format: of the source, where its suffix does not tell.
            map: columns of the source to fields.
            among: what match tasks choose from, as in `predict`.
            as_of: as in `predict`.
            progress: called with the number of rows answered.
        """
        source = Path(source) if isinstance(source, str | Path) else source
        options = {"format": format, "map": map, "among": among, "as_of": as_day(as_of)}
        return self.predictor.file(source, Path(target), progress=progress, **options)

    def predict_stream(
        self, source: str | Path | IO[bytes], *, as_of: Day = None, **options: Any
    ) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
        """Yield the rows of a file in order, part by part, each part with its answers."""
        source = Path(source) if isinstance(source, str | Path) else source
        return self.predictor.stream(source, as_of=as_day(as_of), **options)
