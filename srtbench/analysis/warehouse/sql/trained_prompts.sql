-- One row per run that has trained: how many different prompts it was trained on.
-- sweep: name of the sweep
-- run_id: the run
-- prompts: different prompts of its train rollouts
SELECT sweep, run_id, count(DISTINCT prompt_id) AS prompts
FROM groups
WHERE phase = 'train'
GROUP BY sweep, run_id
