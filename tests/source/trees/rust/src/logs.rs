//! Records go to a queue; a thread of its own writes them.

use tracing_appender::non_blocking::WorkerGuard;

pub fn start() -> WorkerGuard {
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    tracing_subscriber::fmt().with_writer(writer).init();
    guard
}
