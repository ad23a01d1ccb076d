-- The execution of a trigger that a run is part of, and what became of it, as JSON. NULL: a run of before.
ALTER TABLE executions ADD COLUMN execution_id TEXT;
ALTER TABLE executions ADD COLUMN status TEXT;
