"""Linear heads on the encoder as it came: what the model could do before fine-tuning."""

from dataclasses import replace

from allrounder.encoders import Encoder
from allrounder.evaluation.assess import Said, said
from allrounder.runs import Run
from allrounder.training.course import train
from allrounder.training.job import Job, fill
from allrounder.training.weighting import Sum


def probe(job: Job) -> dict[str, Said] | None:
    """Return what linear heads on the frozen encoder say of the test records.

    Heads are trained on cached features until validation gets no better, each task for itself.
    None where nothing is pretrained, or where the encoder stays as it came in any case.
    """
    tunes = {getattr(encoder, "tune", None) for encoder in job.inputs.values()}
    if not job.settings.probe or None in tunes or tunes == {"frozen"}:
        return None
    inner = _frozen(job)
    if not inner.tasks:
        return None
    model = inner.model(dropout=0.0)
    prepared = inner.prepared(model)
    keeper, _ = train(inner, model, prepared)
    found: dict[str, Said] = {}
    for name, step in keeper.best.items():
        fill(model, keeper.weights(step))
        found |= said([(model, [name])], prepared, job.rows("test"))
    keeper.clear()
    return found


def _frozen(job: Job) -> Job:
    """Return the job that trains only heads, many cheap epochs of it."""
    settings = replace(
        job.settings,
        epochs=40,
        head_start=None,
        pretraining=None,
        batch_records=64,
        batch_tokens=1 << 30,
        head_lr=3e-3,
        patience=5,
        evaluate_every=1,
        dropout=0.0,
        r_drop=0.0,
        ema=0.0,
        snapshots="shared",
        lift=None,
        clip=0.0,
        accumulate=1,
        hold=0.0,
        first=[],
        checkpoint_minutes=float("inf"),
        weighting=Sum(),
    )
    return replace(
        job,
        tasks={
            name: task
            for name, task in job.tasks.items()
            if name not in job.freeze and task.reads != "states"
        },
        freeze=[],
        fresh=True,
        knowing=None,
        writes=frozenset(),
        inputs={name: _as_it_came(encoder) for name, encoder in job.inputs.items()},
        settings=settings,
        run=Run(job.run.path / "probe", {}),
        tell=lambda stage, done, total, word: job.tell(f"probe: {stage}", done, total, word),
    )


def _as_it_came(encoder: Encoder) -> Encoder:
    """Return a pretrained encoder that learns nothing and reads every record as it is."""
    still = {"augment": False} if hasattr(encoder, "augment") else {}
    return replace(encoder, tune="frozen", **still)  # type: ignore[call-arg]
