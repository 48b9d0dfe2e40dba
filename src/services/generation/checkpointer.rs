//! Writes what running answers gained, all of them in one transaction, every `CHECKPOINT_SECONDS`.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::core::EngineCore;

pub(super) async fn run(engine: &EngineCore, stop: &CancellationToken) {
    let interval = engine.settings.checkpoint_interval;
    let mut next = Instant::now() + interval;
    while tokio::time::timeout_at(next, stop.cancelled()).await.is_err() {
        // Counted from the start of the last one, so that a slow disk does not stretch what a crash can lose.
        next = Instant::now() + interval;
        checkpoint_all(engine).await;
    }
}

async fn checkpoint_all(engine: &EngineCore) {
    let (mut generations, mut checkpoints) = (Vec::new(), Vec::new());
    for generation in engine.registry.running() {
        let unsaved = generation.draft().unsaved(generation.id);
        if let Some(checkpoint) = unsaved {
            generations.push(generation);
            checkpoints.push(checkpoint);
        }
    }
    if checkpoints.is_empty() || !engine.checkpoint(checkpoints.clone()).await {
        return;
    }
    for (generation, checkpoint) in generations.iter().zip(&checkpoints) {
        generation.draft().saved(checkpoint);
    }
}
