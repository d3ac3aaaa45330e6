-- When the next scheduled retry is due; what waits without one is not in it and costs nothing.

CREATE INDEX rollout_due ON rollout (run, ready_ms) WHERE ready_ms > 0;
