//! Background work: each feature's jobs, run again and again in the processes of their plane.
//!
//! A job takes its own lock in the database where two nodes must not do it at once. One that fails
//! is logged, counted and tried again at its next turn; one that hangs is stopped at [`JOB_DEADLINE`].

use sigid_edge::backend::Backend;
use sigid_edge::feature::{Feature, Job, JobFault};
use sigid_io::backend::{BoxFuture, spawn};
use sigid_io::metrics;
use sigid_io::settings::Plane;
use std::sync::Arc;
use std::time::Duration;

/// The longest a job may run.
pub const JOB_DEADLINE: Duration = Duration::from_mins(5);

pub const FEATURE: Feature = Feature {
    name: "retention",
    section: None,
    routes: &[],
    jobs: &[Job { name: "partitions", plane: Plane::Async, every_s: 3600, run: maintain_partitions }],
    events: &[],
    discovery: &[],
};

/// Starts the jobs of `planes`; each runs at once and then at its interval. They end with the runtime.
pub fn start(features: &[&'static Feature], planes: &[Plane], backend: &Arc<Backend>) {
    for job in features.iter().flat_map(|feature| feature.jobs).filter(|job| planes.contains(&job.plane)) {
        spawn(run(job, backend.clone()));
    }
}

async fn run(job: &'static Job, backend: Arc<Backend>) {
    let outcome = |outcome| {
        metrics::counter("sigid_job_runs_total", "Runs of background jobs.", &[("job", job.name), ("outcome", outcome)])
    };
    let (done, failed) = (outcome("ok"), outcome("failed"));
    loop {
        match tokio::time::timeout(JOB_DEADLINE, (job.run)(backend.clone())).await {
            Ok(Ok(())) => done.inc(),
            Ok(Err(JobFault(error))) => {
                failed.inc();
                tracing::warn!(job = job.name, error, "job failed");
            }
            Err(_late) => {
                failed.inc();
                tracing::warn!(job = job.name, "job stopped at its deadline");
            }
        }
        tokio::time::sleep(Duration::from_secs(job.every_s)).await;
    }
}

/// Creates the partitions of the days ahead and drops those of the past.
fn maintain_partitions(backend: Arc<Backend>) -> BoxFuture<'static, Result<(), JobFault>> {
    Box::pin(async move {
        let now = backend.shared.clock.now();
        crate::outbox::maintain_partitions(backend.pools.pool(Plane::Async), now)
            .await
            .map_err(|error| JobFault(error.to_string()))
    })
}
