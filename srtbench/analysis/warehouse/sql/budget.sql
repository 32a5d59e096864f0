-- One row per run and train step that sampled: what the run has drawn and updated so far, the budget on
-- which online runs and rounds are compared. Everything that it sampled to learn from counts, whether it
-- was trained on or not: further votes, hot and hinted completions, groups that train.refill left out, and
-- with the first step the votes of a teacher or over a pool, though runs share those. Evaluations do not
-- count, nor do the warm start and the runs before it in a curriculum.
-- sweep: name of the sweep
-- run_id: the run
-- step: optimiser step, or round, from 1
-- samples: completions drawn for the step
-- further_samples: those of them outside the view rollouts
-- selected: of rounds, completions that the fit has; null for online runs
-- samples_drawn: completions drawn up to and with the step; null for an imported run whose log does not have every step from the first
-- tokens_drawn: their tokens, prompts left out; null if the length of one is not known
-- updates: optimiser updates made, the step's own included; null for an imported run, and for a round that is not done
WITH drawn AS (
    SELECT sweep, run_id, step, completion_tokens, selected, 0 AS further FROM stg_rollouts
    WHERE phase = 'train'
    UNION ALL
    SELECT sweep, run_id, step, completion_tokens, selected, 1 AS further FROM stg_further
), own AS (
    SELECT
        sweep, run_id, step, count(*) AS samples, sum(further) AS further_samples,
        count(*) FILTER (selected) AS selected,
        sum(completion_tokens) AS tokens, count(completion_tokens) AS known,
        row_number() OVER (PARTITION BY sweep, run_id ORDER BY step) AS place
    FROM drawn
    GROUP BY sweep, run_id, step
), voted AS (
    SELECT run.sweep, run.run_id, 1 AS place, count(*) AS samples,
        sum(vote.completion_tokens) AS tokens, count(vote.completion_tokens) AS known
    FROM planned_runs AS run
    JOIN stg_stage_votes AS vote ON vote.sweep = run.sweep
        AND (vote.stage_id = run.teacher_labels OR vote.stage_id = run.pool_votes)
    GROUP BY run.sweep, run.run_id
), fitted AS (
    SELECT sweep, run_id, value::INTEGER AS step, max(step) AS updates
    FROM stg_metrics WHERE metric = 'round'
    GROUP BY sweep, run_id, value::INTEGER
), steps AS (
    SELECT
        own.sweep, own.run_id, run.run_order, own.step, own.place, own.selected,
        run.imported, run.algorithm IN ('sft', 'dpo') AS rounds, run.step AS done,
        own.samples + coalesce(voted.samples, 0) AS samples,
        own.further_samples + coalesce(voted.samples, 0) AS further_samples,
        own.tokens + coalesce(voted.tokens, 0) AS tokens,
        own.known + coalesce(voted.known, 0) AS known,
        fitted.updates
    FROM own
    JOIN planned_runs AS run ON run.sweep = own.sweep AND run.run_id = own.run_id
    LEFT JOIN voted
        ON voted.sweep = own.sweep AND voted.run_id = own.run_id AND voted.place = own.place
    LEFT JOIN fitted
        ON fitted.sweep = own.sweep AND fitted.run_id = own.run_id AND fitted.step = own.step
), summed AS (
    SELECT
        steps.* EXCLUDE (updates),
        min(step) OVER so_far AS first_step, sum(samples) OVER so_far AS all_samples,
        sum(known) OVER so_far AS all_known, sum(tokens) OVER so_far AS all_tokens,
        sum(selected) OVER so_far AS all_selected, max(updates) OVER so_far AS all_updates
    FROM steps
    WINDOW so_far AS (PARTITION BY sweep, run_id ORDER BY step)
), told AS (  -- a log that begins late or leaves out steps does not say what was drawn before
    SELECT *, imported IS NULL OR (first_step <= 1 AND step = first_step + place - 1) AS whole
    FROM summed
)
SELECT
    sweep, run_id, step, samples::BIGINT AS samples, further_samples::BIGINT AS further_samples,
    CASE WHEN rounds THEN selected END AS selected,
    CASE WHEN whole THEN all_samples::BIGINT END AS samples_drawn,
    CASE WHEN whole AND all_known = all_samples THEN all_tokens::BIGINT END AS tokens_drawn,
    CASE
        WHEN imported IS NOT NULL OR (rounds AND step > done) THEN NULL
        WHEN NOT rounds THEN step
        WHEN all_selected = 0 THEN 0
        ELSE all_updates
    END AS updates
FROM told
ORDER BY sweep, run_order, step
