-- One row per metric that the trainer logged.
-- sweep: name of the sweep
-- run_id: the run
-- step: optimiser step, from 1
-- metric: name, as TRL logs it
-- value: its value
SELECT sweep, run_id, step, metric, value FROM stg_metrics
