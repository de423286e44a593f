//! `sw_connector doctor`: walks the way of a session step by step and says what to do where it ends. It registers no
//! session, so that it can be run beside a connector at work.
//!
//! Files here: [`local`] (this machine), [`listener`] (one listener: the IO), [`judge`] (what its lines say: pure),
//! [`targets`].

mod judge;
mod listener;
mod local;
mod targets;

use std::{io::Write, sync::Arc};

use clap::Args;
use common::{
    doctor::{Block, Form, LIMIT, print},
    target::Target,
};
use tokio::{task::JoinSet, time::Instant};

use crate::config::{Config, Flags};

/// Options of `doctor`.
#[derive(Args, Debug, Clone, Default)]
pub struct DoctorArgs {
    /// Print one JSON object a line: step, outcome (ok, warn, fail, skipped), detail, advice
    #[arg(long)]
    json: bool,

    /// Dial this target too, if allowed_targets lets it; may be repeated
    #[arg(long = "target", value_name = "HOST:PORT")]
    targets: Vec<Target>,
}

/// Looks at everything, at most 30 s long, and prints what it finds: whether nothing failed.
///
/// # Errors
/// When nothing can be printed, or there are no threads or sockets for a runtime.
pub fn run(
    flags: &Flags,
    environment: impl IntoIterator<Item = (String, String)>,
    args: &DoctorArgs,
    out: &mut impl Write,
) -> std::io::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let config = Config::load(flags, environment);
    let well = runtime.block_on(async {
        let deadline = Instant::now() + LIMIT;
        let mut tasks = JoinSet::new();
        let blocks = match config {
            Ok(config) => examine(Arc::new(local::to_dial(&config)), args, &mut tasks).await,
            Err(problems) => {
                let (steps, block) = Block::new(None);
                steps.tell_all(local::bad_settings(&problems)).await;
                steps.skip(&LATER, "the settings cannot be used").await;
                vec![block]
            }
        };
        let form = match args.json {
            true => Form::Json,
            false => Form::Text,
        };
        print(blocks, form, deadline, out).await
    });
    // A name that is being resolved must not hold up the end.
    runtime.shutdown_background();
    well
}

/// The steps that need settings.
const LATER: [&str; 6] = ["files", "dates", "clock", "dns", "buffers", "target"];

/// Begins to look at this machine, at each listener, and at the targets, all at once.
async fn examine(config: Arc<Config>, args: &DoctorArgs, tasks: &mut JoinSet<()>) -> Vec<Block> {
    let several = config.listeners.len() > 1;
    let heading = |text: String| several.then_some(text);
    let (machine, first) = Block::new(heading("this machine".to_owned()));
    let client = local::examine(&config, &machine).await;
    let mut blocks = vec![first];
    for address in config.listeners.clone() {
        let (steps, block) = Block::new(heading(format!("listener {}", address.address)));
        blocks.push(block);
        tasks.spawn(listener::examine(
            address,
            config.clone(),
            client.clone(),
            steps,
        ));
    }
    let (steps, block) = Block::new(heading("targets".to_owned()));
    blocks.push(block);
    let wanted = args.targets.clone();
    tasks.spawn(async move { targets::examine(&config, wanted, &steps).await });
    blocks
}
