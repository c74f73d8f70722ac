//! Everything a person does with kubectl, theme by theme: each file beside this one is a session at a terminal, played on a cluster of its own,
//! by the real kubectl and by `mini-ctl`. What stands in it is what upstream's server makes kubectl print.

use mini_tests::{World, root};

use crate::{kubectl_create::minor, session::Terminal};

/// What makes the word `kubectl` mean `mini-ctl`, which prints what the newest kubectl does.
const OURS: &str = r#"PATH="$HOME/as:$PATH""#;

/// Plays the session of this theme on a cluster of three nodes, each command typed after `before`.
async fn plays(theme: &str, before: &str) {
    let world = World::up(3);
    let file = root().join("tests/it/kubectl").join(theme).with_extension("sh-session");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("read {}: {error}", file.display()));
    world.alias("as/kubectl", "mini-ctl");
    let minor = if before.is_empty() { minor(&world) } else { u32::MAX };
    let mut terminal = Terminal::new(&world, world.home().join("session"));
    let shown = terminal.play(&text, before, minor).await;
    terminal.settle(&file, &shown);
}

/// A word in the list makes the tests that play `word.sh-session`.
macro_rules! themes {
    ($($theme:ident)*) => {
        mod real {
            themes! { "", $($theme)* }
        }
        mod ours {
            themes! { super::OURS, $($theme)* }
        }
    };
    ($before:expr, $($theme:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $theme() {
                super::plays(stringify!($theme), $before).await;
            }
        )*
    };
}

themes! { reading printing writing making changing editing applying rolling nodes describing asking knowing }

/// What only `mini-ctl` can do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cluster() {
    plays("cluster", OURS).await;
}

/// What only `kubectl` can do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond() {
    plays("beyond", "").await;
}
