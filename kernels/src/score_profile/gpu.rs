//! Matrix profiles on a GPU: the nearest windows in f32 (`score_profile.wgsl`), their distances by
//! the definition.
//!
//! The series and the increments of its covariances are made in f64 here and rounded once. A
//! device takes some rows of the matrix at a time, so that no dispatch lasts for long; where these
//! rows are too few to fill it, columns are shared out as well, and the host takes the best of the
//! shares (the first of equals, as shares are in the order of columns).

use std::collections::VecDeque;
use std::ops::Range;

use pelton_shaders::{PROFILE_ROWS, ProfileParams};

use super::{NONE, Profile, Series, profile_of};
use crate::gpu::{Buffer, Flags, Gpu, GpuError, Pass, Pending};
use crate::score_forest::gpu::IN_FLIGHT;

/// Workgroups that fill a device.
const GROUPS: usize = 1024;
/// Pairs of windows of a dispatch: some hundred milliseconds of a small GPU.
const PAIRS_MAX: usize = 1 << 33;
/// Columns that a share has at least: its start costs as much as some hundred of them.
const SHARE_MIN: usize = 1024;

/// Rows under way.
struct Piece {
    pending: Pending,
    read: usize,
    rows: Range<usize>,
    shares: usize,
}

/// Increments of the covariance, inverse norm and mean of each window, as f32.
fn shapes(series: &Series) -> Vec<[f32; 4]> {
    let (values, length) = (&series.values, series.length);
    let one = |at: usize| {
        let (mut df, mut dg) = (0.0, 0.0);
        if at > 0 {
            let (came, left) = (values[at + length - 1], values[at - 1]);
            df = (came - left) / 2.0;
            dg = (came - series.means[at]) + (left - series.means[at - 1]);
        }
        [df, dg, series.inverses[at], series.means[at]].map(|x| x as f32)
    };
    (0..series.windows()).map(one).collect()
}

/// As [`super::profile`], with windows that are nearest to within [`Series::tolerances`].
///
/// # Errors
/// What the GPU answers; [`GpuError::TooLarge`] for more windows than a binding can show.
pub fn profile(gpu: &Gpu, series: &Series) -> Result<Profile, GpuError> {
    let mut nearest: Vec<Option<usize>> = vec![None; series.windows()];
    each_piece(gpu, series, |piece| land(series, piece, &mut nearest))?;
    Ok(profile_of(series, nearest.into_iter()))
}

/// The pass alone: its dispatches, where `gpu` is [`Gpu::timed`].
///
/// # Errors
/// What the GPU answers.
pub fn times_ns(gpu: &Gpu, series: &Series) -> Result<Vec<(Pass, f64)>, GpuError> {
    let mut times = Vec::new();
    each_piece(gpu, series, |piece| {
        times.extend(piece.pending.wait()?.times_ns());
        Ok(())
    })?;
    Ok(times)
}

/// Launches all rows, some at a time, and has each piece landed.
fn each_piece(
    gpu: &Gpu,
    series: &Series,
    mut land: impl FnMut(Piece) -> Result<(), GpuError>,
) -> Result<(), GpuError> {
    let windows = series.windows();
    if windows == 0 {
        return Ok(());
    }
    let values: Vec<f32> = series.values.iter().map(|x| *x as f32).collect();
    let shapes = shapes(series);
    let on_device = [gpu.buffer(size_of_val(&*values))?, gpu.buffer(size_of_val(&*shapes))?];
    let mut work = gpu.work()?;
    work.upload(&on_device[0], &values)?;
    work.upload(&on_device[1], &shapes)?;
    work.submit()?;
    let step_rows = PROFILE_ROWS as usize;
    let step = (PAIRS_MAX / windows)
        .min(gpu.rows_a_binding(8, step_rows))
        .min(gpu.adapter().groups_max as usize * step_rows)
        .next_multiple_of(step_rows)
        .max(step_rows);
    let mut flight: VecDeque<Piece> = VecDeque::new();
    for start in (0..windows).step_by(step) {
        if flight.len() == IN_FLIGHT
            && let Some(oldest) = flight.pop_front()
        {
            land(oldest)?;
        }
        flight.push_back(launch(gpu, series, &on_device, start..windows.min(start + step))?);
    }
    flight.into_iter().try_for_each(land)
}

/// Some rows.
fn launch(
    gpu: &Gpu,
    series: &Series,
    [values, shapes]: &[Buffer; 2],
    rows: Range<usize>,
) -> Result<Piece, GpuError> {
    let windows = series.windows();
    let groups = rows.len().div_ceil(PROFILE_ROWS as usize);
    let shares = GROUPS
        .div_ceil(groups)
        .min(windows.div_ceil(SHARE_MIN))
        .min(gpu.rows_a_binding(8 * rows.len(), 1))
        .max(1);
    let share = windows.div_ceil(shares);
    let shares = windows.div_ceil(share);
    let params = ProfileParams {
        windows: windows as u32,
        length: series.length as u32,
        exclusion: series.exclusion.min(windows) as u32,
        first_row: rows.start as u32,
        last_row: rows.end as u32,
        share: share as u32,
        pitch: rows.len() as u32,
    };
    let found = gpu.buffer(8 * rows.len() * shares)?;
    let mut work = gpu.work()?;
    let grid = [groups as u32, shares as u32];
    work.dispatch(Pass::ScoreProfile, Flags::NONE, &params, &[values, shapes, &found], grid)?;
    let read = work.read(&found, 0..found.bytes())?;
    Ok(Piece { pending: work.submit()?, read, rows, shares })
}

/// Takes the best of each row.
fn land(series: &Series, piece: Piece, nearest: &mut [Option<usize>]) -> Result<(), GpuError> {
    let found: Vec<[u32; 2]> = piece.pending.wait()?.values(piece.read);
    let pitch = piece.rows.len();
    for (at, row) in piece.rows.enumerate() {
        let mut best: Option<(f32, u32)> = None;
        for [correlation, window] in (0..piece.shares).filter_map(|s| found.get(s * pitch + at)) {
            let own = f32::from_bits(*correlation);
            if *window != NONE && best.is_none_or(|(most, _)| own > most) {
                best = Some((own, *window));
            }
        }
        let sound = best.map(|(_, window)| window as usize).filter(|w| *w < series.windows());
        nearest[row] = sound.filter(|window| series.are_compared(row, *window));
    }
    Ok(())
}
