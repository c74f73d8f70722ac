//! Digits of pi, computed: Machin's formula on whole numbers of nine decimal digits each.

use crate::{Ctx, applets::hand::Stop};

const BASE: u64 = 1_000_000_000;
/// Digits beyond those wanted, so that rounding errors do not reach them.
const SPARE: usize = 18;
/// The most digits.
pub(crate) const MOST: usize = 20_000;

/// A number below ten: a digit, and groups of nine decimals.
type Fixed = Vec<u32>;

fn divide(number: &mut Fixed, by: u64) {
    let mut rest = 0;
    for group in number.iter_mut() {
        let value = rest * BASE + u64::from(*group);
        *group = (value / by) as u32;
        rest = value % by;
    }
}

fn add(to: &mut Fixed, other: &Fixed, minus: bool) {
    let mut carry: i64 = 0;
    for (group, other) in to.iter_mut().zip(other).rev() {
        let other = i64::from(*other);
        let value = i64::from(*group) + if minus { -other } else { other } + carry;
        *group = value.rem_euclid(BASE as i64) as u32;
        carry = value.div_euclid(BASE as i64);
    }
}

/// `factor` times the arc tangent of 1/`of`, added or taken off.
async fn arctan(ctx: &Ctx, sum: &mut Fixed, factor: u32, of: u64, minus: bool) {
    let mut power = vec![0; sum.len()];
    power[0] = factor;
    divide(&mut power, of);
    let mut odd = 1;
    let mut negative = minus;
    while power.iter().any(|group| *group != 0) {
        let mut term = power.clone();
        divide(&mut term, odd);
        add(sum, &term, negative);
        divide(&mut power, of * of);
        odd += 2;
        negative = !negative;
        ctx.step(1 + u32::try_from(sum.len() / 64).unwrap_or(0)).await;
    }
}

/// So many significant digits, the last rounded: `3.14` is three.
pub(crate) async fn digits(ctx: &Ctx, count: usize) -> Result<String, Stop> {
    let count = count.clamp(1, MOST);
    let groups = (count + SPARE).div_ceil(9) + 1;
    let _held = ctx.allocate(groups as u64 * 16).map_err(Stop::Input)?;
    let mut sum: Fixed = vec![0; groups];
    arctan(ctx, &mut sum, 16, 5, false).await;
    arctan(ctx, &mut sum, 4, 239, true).await;
    let decimals: String = sum[1..].iter().map(|group| format!("{group:09}")).collect();
    let mut all: Vec<u8> = format!("{}{decimals}", sum[0]).bytes().map(|byte| byte - b'0').collect();
    let up = all.get(count).is_some_and(|digit| *digit >= 5);
    all.truncate(count);
    if up {
        for digit in all.iter_mut().rev() {
            *digit = (*digit + 1) % 10;
            if *digit != 0 {
                break;
            }
        }
    }
    let text: String = all.iter().map(|digit| char::from(digit + b'0')).collect();
    Ok(if count == 1 { text } else { format!("{}.{}", &text[..1], &text[1..]) })
}
