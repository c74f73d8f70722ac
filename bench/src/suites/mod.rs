//! The list of suites. A suite is one file in this folder and one line here.

use anyhow::Result;

use crate::{report::Report, stage::Stage};

mod config_maps;

/// Declares the suites: the module, the type whose documentation and flags are its command, and what it can measure: `any` server,
/// or `own` programs only.
macro_rules! suites {
    ($($module:ident $name:ident $scope:ident),* $(,)?) => {
        $(mod $module;)*

        /// A workload, with its sizes.
        #[derive(clap::Subcommand, Debug)]
        pub(crate) enum Suite {
            $(#[command(name = stringify!($module))] $name($module::$name),)*
        }

        impl Suite {
            /// The names, in the order in which all are run.
            pub(crate) const NAMES: &'static [&'static str] = &[$(stringify!($module)),*];

            /// Runs it.
            pub(crate) async fn run(&self, stage: &Stage) -> Result<Report> {
                match self { $(Self::$name(suite) => suite.run(stage).await,)* }
            }

            /// Whether it can measure a server that it did not start.
            pub(crate) fn takes_any_server(&self) -> bool {
                match self { $(Self::$name(_) => suites!(@$scope),)* }
            }
        }
    };
    (@any) => { true };
    (@own) => { false };
}

suites! {
    boot Boot own,
    idle Idle own,
    create Create any,
    create1 Create1 any,
    get Get any,
    list List any,
    watch Watch any,
    flow Flow any,
    growth Growth own,
    sched Sched own,
}
