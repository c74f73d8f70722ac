//! Asking whoever is at standard input whether to go on.

use crate::Ctx;

/// Shows a question on standard error; whether the answer begins with `y`.
pub(crate) async fn confirmed(ctx: &Ctx, question: &str) -> bool {
    ctx.err(format!("{}: {question}", super::name(ctx))).await;
    let answer = ctx.read_line(0, 4096).await.unwrap_or_default();
    matches!(answer.first(), Some(b'y' | b'Y'))
}
