"""C7 and C8: spurious rewards, and what avoids or delays the collapse."""

from dataclasses import replace

from analysis.claims import drawing
from analysis.claims.data import Study, settings
from analysis.claims.hypotheses import C7, C8
from analysis.claims.regimes import onset_delay, onsets
from analysis.claims.sections import (
    Number,
    Section,
    Table,
    absent,
    any_run,
    change_of,
    count,
    final_of,
    last_fifth,
    not_run,
    start,
)
from analysis.claims.stopping import base_cell, mitigation_sheet, stopping
from srtbench.analysis.diagnosis import LABELLED_SHARE, MIN_LABELLED, labelled_prompts

_SPURIOUS = ("random", "format", "incorrect")


def spurious(study: Study) -> Section:
    """C7: change of avg@k under each spurious reward, beside srt and gold."""
    section, cells = start(C7, study)
    tasks = settings(cells)
    if not tasks:
        return not_run(section)
    rows = []
    for task, group in tasks.items():
        roles = {kind: study.find(group, kind=kind) for kind in (*_SPURIOUS, "srt", "gold")}
        section.use(roles.values())
        for hypothesis, kind in zip(C7.hypotheses, _SPURIOUS, strict=True):
            section.add(hypothesis.key, task, change_of(study, roles[kind]), absent(roles, kind))
        for kind, cell in roles.items():
            numbers = (Number(change_of(study, cell)), Number(final_of(study, cell)))
            rows.append(((task, kind), numbers))
    section.tables.append(
        Table(
            "rewards", "Beside self-reward and gold (no verdict)", ("task", "reward"),
            ("end minus start in avg@k", "final avg@k"), tuple(rows),
        )
    )  # fmt: skip
    section.method.append(
        "Each reward is a question of its own. The change is paired by seed and prompt."
    )
    if any_run(section):
        section.sheet = drawing.accuracy(study, section.cells, "C7", C7.title)
    return section


def remedies(study: Study) -> Section:
    """C8: early stopping, fixed labels, easy prompts."""
    section, cells = start(C8, study)
    if not cells:
        return not_run(section)
    if len(settings(cells)) > 1:
        section.lacks("the part has several tasks; the first is used")
    task, group = next(iter(settings(cells).items()))
    base, fixed = base_cell(study, group), study.find(group, kind="fixed_teacher")
    easy = {name: study.find(group, name=name) for name in ("easiest-share", "easiest-pass")}
    roles = {"srt-base": base, "fixed_teacher": fixed, **easy}
    section.use([*roles.values(), *group])
    rules = stopping(study, base)
    regret = next((rule.regret for rule in rules if rule.name == "labelled_split"), None)
    section.add("C8a", task, regret, absent(roles, "srt-base"))
    delay = onset_delay(study, fixed, base)
    if delay is not None and base is not None and not onsets(study, base)[1]:
        delay = None
        section.lacks("C8b: no seed of srt-base collapsed, so there is nothing to delay")
    section.add("C8b", task, delay, absent(roles, "srt-base", "fixed_teacher"), digits=0)
    for key, name in (("C8c", "easiest-share"), ("C8d", "easiest-pass")):
        section.add(key, task, change_of(study, easy[name]), absent(roles, name))
    rows = []
    for cell in section.cells:
        steps, fallen = onsets(study, cell)
        numbers = (
            count(len(steps)),
            count(fallen),
            Number(change_of(study, cell)),
            Number(final_of(study, cell)),
            Number(last_fifth(study, cell, "label_accuracy")),
            Number(last_fifth(study, cell, "label_accuracy", first_too=True)),
        )
        rows.append(((cell.variant,), numbers))
    section.tables.append(
        Table(
            "variants", "Every variant", ("variant",),
            (
                "seeds", "seeds that collapsed", "end minus start in avg@k", "final avg@k",
                "label accuracy, last fifth of the steps",
                "label accuracy, last minus first fifth",
            ),
            tuple(rows),
        )
    )  # fmt: skip
    section.tables.append(
        Table(
            "rules", f"Stopping rules on {base.variant if base else 'srt-base'} (no verdict "
            "but that of labelled_split)", ("rule",),
            ("regret in avg@k", "seeds stopped", "steps before the onset"),
            tuple(
                (
                    (rule.name,),
                    (Number(rule.regret), count(rule.stopped), Number(rule.lead_steps, 0)),
                )
                for rule in rules
            ),
        )
    )  # fmt: skip
    if base is not None and base.seeds:
        trained = min(study.train_prompts[run] for run in base.runs.values())
        split = (count(trained), count(labelled_prompts(trained)))
        section.tables.append(
            Table(
                "labels",
                f"Labelled split: {LABELLED_SHARE:.0%} of the train prompts, at least "
                f"{MIN_LABELLED}", ("variant",), ("train prompts", "labelled prompts"),
                (((base.variant,), split),),
            )
        )  # fmt: skip
    section.method += [
        "Stopping rules are applied after the fact to the finished runs of srt-base. Regret is the "
        "best evaluation minus the checkpoint that the rule keeps. Its interval is over seeds.",
        "The rule of C8a is labelled_split: it keeps the checkpoint that scores best on the "
        "labelled prompts. Its regret is an exact expectation, and an upper estimate.",
        "Steps before the onset are over the seeds where the rule rang and accuracy fell. A "
        "negative number is an alarm that came late.",
        "A run that did not collapse counts as collapsing at its last step, so the delay is a "
        "lower bound there.",
    ]
    if any_run(section):
        section.sheet = replace(mitigation_sheet(study, section.cells, rules), name="C8")
    return section
