"""C9S: the number of prompts that one policy labels, in rounds of fine-tuning."""

from analysis.claims import drawing
from analysis.claims.data import Study, settings
from analysis.claims.hypotheses import C9S
from analysis.claims.mechanism import METHOD, coupling_table, fall_table
from analysis.claims.refresh import DEAD, dead_share, finals_table, rank_correlation
from analysis.claims.sections import Section, absent, any_run, final_difference, not_run, start

PROMPTS = {f"rounds-{count}": count for count in (16, 50, 100, 200, 400)}
"""Prompts between two renewals of the labels, by variant; 1600, two rounds, is shown beside."""


def rounds(study: Study) -> Section:
    """C9S: who is dead in the end, by prompts per round."""
    section, cells = start(C9S, study, *C9S.parts)
    tasks = settings(cells)
    if not tasks:
        return not_run(section)
    for task, group in tasks.items():
        section.use(group)
        names = (*PROMPTS, "gold-16", "gold-400")
        found = {name: study.find(group, name=name) for name in names}
        for key, name in (("C9g", "rounds-16"), ("C9h", "rounds-400"), ("C9i", "gold-16")):
            section.add(key, task, dead_share(study, found[name]), absent(found, name))
        by_prompts = {PROMPTS[name]: found[name] for name in PROMPTS}
        trend = rank_correlation(study, by_prompts)
        section.add("C9j", task, trend, absent(found, *PROMPTS))
        gap = final_difference(study, found["gold-400"], found["rounds-400"])
        section.add("C9k", task, gap, absent(found, "gold-400", "rounds-400"))
        section.tables.append(finals_table(study, task, group))
        section.tables.append(fall_table(study, task, by_prompts, in_rounds=True))
        section.tables.append(coupling_table(study, task, group))
    section.method += [
        f"A seed has collapsed if the last avg@k is below {DEAD:g}. Shares of seeds have the exact "
        "interval of Clopper and Pearson.",
        "The rank correlation is Spearman's over the five sizes, one number per seed. A step is a "
        "round; the time of the fall is counted in prompts drawn.",
        *METHOD,
    ]
    if any_run(section):
        section.sheet = drawing.accuracy(study, section.cells, "C9S", C9S.title, "samples_drawn")
    return section
