"""Cancels running jobs as if the process had been killed: no job releases its lease or is completed."""

import asyncio

from taskwire.worker import JOB_TASK_NAME


async def cancel_jobs() -> int:
    """Cancel the jobs of all workers in this process. Return how many jobs were running."""
    jobs = [task for task in asyncio.all_tasks() if task.get_name().startswith(JOB_TASK_NAME)]
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    return len(jobs)
