//! Which received digit is which of the sent ones: the cheapest way to make one row of digits from another.
use crate::media::digit::Digit;

/// One step from the sent row to the received one; positions are indices into each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Same { sent: usize, received: usize },
    Changed { sent: usize, received: usize },
    Swapped { sent: usize, received: usize },
    Missing { sent: usize },
    Extra { received: usize },
}

/// Most digits of a row that are compared (the square of it is looked at).
pub(super) const MAX_ROW: usize = 512;

/// The steps with the least cost (Damerau's distance with neighbours swapped). Of equal ones the first digit of a repeat is kept, so that
/// "11" heard as "1" misses its second.
pub(super) fn align(sent: &[Digit], received: &[Digit]) -> Vec<Step> {
    let (sent, received) = (&sent[..sent.len().min(MAX_ROW)], &received[..received.len().min(MAX_ROW)]);
    let width = received.len() + 1;
    let at = |i: usize, j: usize| i * width + j;
    // cost[i][j]: from what is left of each row, so that the steps come out from the front.
    let mut cost = vec![0_u32; (sent.len() + 1) * width];
    for i in (0..=sent.len()).rev() {
        for j in (0..=received.len()).rev() {
            cost[at(i, j)] = match (sent.get(i), received.get(j)) {
                (None, None) => 0,
                (Some(_), None) => 2 + cost[at(i + 1, j)],
                (None, Some(_)) => 2 + cost[at(i, j + 1)],
                (Some(s), Some(r)) => {
                    let straight = cost[at(i + 1, j + 1)] + if s == r { 0 } else { 3 };
                    let mut least = straight.min(2 + cost[at(i + 1, j)]).min(2 + cost[at(i, j + 1)]);
                    if swapped(sent, received, i, j) {
                        least = least.min(2 + cost[at(i + 2, j + 2)]);
                    }
                    least
                }
            };
        }
    }
    let (mut i, mut j, mut steps) = (0, 0, Vec::new());
    while i < sent.len() || j < received.len() {
        let here = cost[at(i, j)];
        match (sent.get(i), received.get(j)) {
            (Some(s), Some(r)) if s == r && here == cost[at(i + 1, j + 1)] => {
                steps.push(Step::Same { sent: i, received: j });
                (i, j) = (i + 1, j + 1);
            }
            (Some(_), Some(_)) if swapped(sent, received, i, j) && here == 2 + cost[at(i + 2, j + 2)] => {
                steps.push(Step::Swapped { sent: i, received: j });
                (i, j) = (i + 2, j + 2);
            }
            (Some(_), _) if here == 2 + cost[at(i + 1, j)] => {
                steps.push(Step::Missing { sent: i });
                i += 1;
            }
            (_, Some(_)) if here == 2 + cost[at(i, j + 1)] => {
                steps.push(Step::Extra { received: j });
                j += 1;
            }
            _ => {
                steps.push(Step::Changed { sent: i, received: j });
                (i, j) = (i + 1, j + 1);
            }
        }
    }
    steps
}

fn swapped(sent: &[Digit], received: &[Digit], i: usize, j: usize) -> bool {
    let (Some([a, b]), Some([c, d])) = (sent.get(i..i + 2), received.get(j..j + 2)) else { return false };
    a != b && a == d && b == c
}
