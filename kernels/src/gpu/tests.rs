//! The host: what it refuses, what it survives, how it cuts; and the whole suite on other devices.

use std::io::Write;
use std::process::Command;
use std::sync::OnceLock;

use pelton_shaders::{CATALOGUE, CombineParams};

use super::*;
use crate::batch_filter;
use crate::window_combine::gpu::{Operation, combine_slices};
use crate::window_reduce::gpu::SumTable;

/// Set where a GPU must be found, so that tests cannot quietly do nothing.
const REQUIRED: &str = "PELTON_REQUIRE_GPU";
/// Set in processes that this one starts, so that they don't start others.
pub(crate) const CHILD: &str = "PELTON_GPU_TEST_CHILD";

/// Says a line past the test harness, which swallows what tests print.
fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).expect("standard error");
}

/// The device that tests run on: what `PELTON_GPU` says, else the best, else software. Without
/// any, tests have nothing to do, and say so once.
pub(crate) fn device() -> Option<&'static Gpu> {
    static DEVICE: OnceLock<Option<Gpu>> = OnceLock::new();
    let open = || {
        let chosen = Gpu::open(&Choice::from_env());
        let opened = match (chosen, std::env::var_os(GPU_VARIABLE)) {
            (Err(_), None) => Gpu::open(&Choice::Software),
            (chosen, _) => chosen,
        };
        match opened {
            Ok(gpu) => {
                say(&format!("gpu: {} ({})", gpu.adapter().name, gpu.adapter().abilities()));
                Some(gpu)
            }
            Err(error) if std::env::var_os(REQUIRED).is_none() => {
                say(&format!("gpu: skipped, {error}"));
                None
            }
            Err(error) => panic!("{REQUIRED} is set, and there is {error}"),
        }
    };
    DEVICE.get_or_init(open).as_ref()
}

/// A device of a test's own: to be lost, or to count on.
pub(crate) fn own_device() -> Option<Gpu> {
    let name = device()?.adapter().name.clone();
    Some(Gpu::open(&Choice::Name(name)).expect("it was opened before"))
}

fn words(count: usize) -> Vec<u64> {
    (0..count as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
}

#[test]
fn a_grid_covers_and_keeps_the_limit() {
    let Some(gpu) = device() else { return };
    for groups in [0, 1, 255, 65_535, 65_536, 200_000, 10_000_000] {
        let [x, y] = gpu.grid(groups);
        assert!(x as usize * y as usize >= groups, "{groups}");
        assert!(x <= gpu.adapter().groups_max && y <= gpu.adapter().groups_max, "{groups}");
    }
}

#[test]
fn too_much_is_an_error() {
    let Some(gpu) = device() else { return };
    let gpu = gpu.with_bindings_of(1 << 16);
    assert!(matches!(gpu.buffer(1 << 20), Err(GpuError::TooLarge { .. })));
    let buffer = gpu.buffer(100).unwrap();
    let mut work = gpu.work().unwrap();
    assert!(matches!(work.upload(&buffer, &words(50)), Err(GpuError::TooLarge { .. })));
    let params = CombineParams { entries: 0, operation: 0 };
    let other = gpu.buffer(100).unwrap();
    for _ in 0..DISPATCHES_MAX {
        let bound = [&other, &buffer];
        work.dispatch(Pass::WindowCombine, Flags::NONE, &params, &bound, [1, 1]).unwrap();
    }
    let bound = [&other, &buffer];
    let more = work.dispatch(Pass::WindowCombine, Flags::NONE, &params, &bound, [1, 1]);
    assert!(matches!(more, Err(GpuError::TooLarge { .. })));
}

#[test]
fn a_pass_with_wrong_buffers_is_refused_and_the_device_goes_on() {
    let Some(gpu) = device() else { return };
    let buffer = gpu.buffer(64).unwrap();
    let mut work = gpu.work().unwrap();
    let params = CombineParams { entries: 1, operation: 0 };
    // One binding too few, and a buffer that is read and written at once.
    let result = gpu
        .scoped(0, || work.dispatch(Pass::WindowCombine, Flags::NONE, &params, &[&buffer], [1, 1]));
    assert!(matches!(result, Err(GpuError::Refused(_))), "{result:?}");
    drop(work);
    let mut values = words(5);
    combine_slices(gpu, Operation::AddU64, &mut values, &words(5)).unwrap();
    assert_eq!(values[1], words(2)[1].wrapping_mul(2));
}

#[test]
fn buffers_are_used_again() {
    let Some(gpu) = own_device() else { return };
    let run = || {
        let mut values = words(1000);
        combine_slices(&gpu, Operation::AddU64, &mut values, &words(1000)).unwrap();
    };
    run();
    let before = gpu.inner.device.get_internal_counters().hal.buffers.read();
    for _ in 0..20 {
        run();
    }
    let after = gpu.inner.device.get_internal_counters().hal.buffers.read();
    assert!(after <= before + 2, "{before} buffers, then {after}");
}

#[test]
fn works_overlap_and_come_back_in_any_order() {
    let Some(gpu) = device() else { return };
    let mut flights = Vec::new();
    for i in 0..6_u64 {
        let buffers = [gpu.buffer(8 * 300).unwrap(), gpu.buffer(8 * 300).unwrap()];
        let mut work = gpu.work().unwrap();
        work.upload(&buffers[0], &vec![i; 300]).unwrap();
        work.upload(&buffers[1], &words(300)).unwrap();
        let params = CombineParams { entries: 300, operation: 0 };
        let bound = [&buffers[0], &buffers[1]];
        work.dispatch(Pass::WindowCombine, Flags::NONE, &params, &bound, [2, 1]).unwrap();
        let read = work.read(&buffers[1], 8..8 * 300).unwrap();
        flights.push((i, read, work.submit().unwrap()));
    }
    for (i, read, pending) in flights.into_iter().rev() {
        while !pending.is_done() {
            std::thread::yield_now();
        }
        let values: Vec<u64> = pending.wait().unwrap().values(read);
        let wanted: Vec<u64> = words(300)[1..].iter().map(|word| word.wrapping_add(i)).collect();
        assert_eq!(values, wanted);
    }
}

#[test]
fn a_buffer_is_nobody_elses_while_work_on_it_is_recorded() {
    let Some(gpu) = own_device() else { return };
    let (mine, other) = (gpu.buffer(4096).unwrap(), gpu.buffer(4096).unwrap());
    let mut work = gpu.work().unwrap();
    work.upload(&mine, &words(512)).unwrap();
    work.copy(&mine, &other, 4096).unwrap();
    drop((mine, other));
    // Taken while that work waits, filled, and read after it has run.
    let next = gpu.buffer(4096).unwrap();
    let mut first = gpu.work().unwrap();
    first.upload(&next, &vec![7_u64; 512]).unwrap();
    first.submit().unwrap();
    work.submit().unwrap();
    let mut last = gpu.work().unwrap();
    let read = last.read(&next, 0..4096).unwrap();
    assert_eq!(last.submit().unwrap().wait().unwrap().values::<u64>(read), vec![7; 512]);
}

#[test]
fn many_bytes_are_copied_by_threads() {
    let Some(gpu) = device() else { return };
    let column = words(300_000);
    let bytes = bytemuck::cast_slice(&column);
    let buffer = gpu.buffer(5 * 2_400_000).unwrap();
    let mut work = gpu.work().unwrap();
    // Five columns, one of them with a length that is no whole word.
    let cut = [2_400_000, 2_400_000, 2_399_999, 2_400_000, 2_400_000];
    let parts: Vec<(u64, &[u8])> =
        (0..5).map(|i| (2_400_000 * i as u64, &bytes[..cut[i]])).collect();
    work.upload_parts(&buffer, &parts).unwrap();
    assert!(work.upload_parts(&buffer, &[(12_000_000, &[1])]).is_err());
    let read = work.read(&buffer, 0..12_000_000).unwrap();
    let done = work.submit().unwrap().wait().unwrap();
    for (i, part) in done.bytes(read).chunks(2_400_000).enumerate() {
        assert!(part[..cut[i]] == bytes[..cut[i]], "column {i}");
    }
}

#[test]
fn threads_share_a_device() {
    let Some(gpu) = device() else { return };
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            scope.spawn(move || {
                for _ in 0..5 {
                    let mut values = vec![thread; 500];
                    combine_slices(gpu, Operation::AddU64, &mut values, &words(500)).unwrap();
                    assert!(values.iter().zip(words(500)).all(|(v, w)| *v == w + thread));
                }
            });
        }
    });
}

#[test]
fn no_memory_leaves_the_device_and_the_output() {
    let Some(gpu) = own_device() else { return };
    let (mask, values) = (vec![u64::MAX; 4], words(256));
    for dispatches in 0..4 {
        gpu.inject(Injected { fault: Fault::OutOfMemory, after_dispatches: dispatches });
        let mut out = vec![7];
        let result = batch_filter::gpu::batch_filter(&gpu, &mask, &values, &mut out);
        assert!(matches!(result, Err(GpuError::OutOfMemory { .. })), "{result:?}");
        assert_eq!(out, [7], "what was there stays, and nothing else");
    }
    let mut out = vec![];
    batch_filter::gpu::batch_filter(&gpu, &mask, &values, &mut out).unwrap();
    assert_eq!(out, values, "the next call succeeds");
}

#[test]
fn a_lost_device_is_an_error_from_then_on() {
    for dispatches in 0..3 {
        let Some(gpu) = own_device() else { return };
        let mut table = SumTable::new(&gpu, 3).unwrap();
        table.add_slices(&gpu, Some(&[0, 1, 1]), &[1, 2, 3]).unwrap();
        gpu.inject(Injected { fault: Fault::Lost, after_dispatches: dispatches });
        let mut lost = false;
        for _ in 0..5 {
            let result = table.add_slices(&gpu, Some(&[2]), &[4]);
            lost |= result.as_ref().is_err_and(GpuError::is_lost);
            assert_eq!(result.is_err(), lost, "{result:?}");
        }
        assert!(lost);
        assert!(table.read(&gpu).is_err_and(|error| error.is_lost()));
        assert!(gpu.buffer(10).is_err_and(|error| error.is_lost()));
        assert!(gpu.work().is_err_and(|error| error.is_lost()));
    }
}

#[test]
fn passes_are_counted_and_timed() {
    let Some(gpu) = own_device() else { return };
    // The first use of floats tries the device, which counts as well.
    gpu.float64_is_exact();
    let before = gpu.stats();
    let mut values = words(1000);
    combine_slices(&gpu, Operation::SubtractU64, &mut values, &words(1000)).unwrap();
    let stats = gpu.stats().since(&before);
    let combine = stats.passes["window_combine"];
    assert_eq!((combine.dispatches, combine.bound_bytes), (1, 16_000));
    assert_eq!((stats.uploaded_bytes, stats.read_bytes, stats.dispatches()), (16_000, 8_000, 1));
    let timed = gpu.timed();
    let buffers = [timed.buffer(800).unwrap(), timed.buffer(800).unwrap()];
    let mut work = timed.work().unwrap();
    let params = CombineParams { entries: 100, operation: 0 };
    let bound = [&buffers[0], &buffers[1]];
    work.dispatch(Pass::WindowCombine, Flags::NONE, &params, &bound, [1, 1]).unwrap();
    let times = work.submit().unwrap().wait().unwrap().times_ns();
    if gpu.adapter().has_timestamps {
        assert!(matches!(times[..], [(Pass::WindowCombine, ns)] if ns >= 0.0), "{times:?}");
    }
}

/// Every probe, on the smallest batch: a clock that runs fast ends each after one.
#[test]
fn calibration_compares_answers_and_keeps_its_budget() {
    let Some(gpu) = device() else { return };
    let ticks = std::cell::Cell::new(0);
    let clock = || {
        ticks.set(ticks.get() + 1);
        std::time::Duration::from_secs(ticks.get())
    };
    let budget = std::time::Duration::from_secs(1);
    let measured = calibrate::Calibration::measure(gpu, "key", budget, &clock).unwrap();
    assert_eq!(measured.kernels.len(), probe::PROBES.len());
    for kernel in &measured.kernels {
        assert!(kernel.same_answer, "{}", kernel.name);
        assert_eq!(kernel.points.len(), 1, "{}", kernel.name);
    }
    let text = measured.to_text();
    assert_eq!(calibrate::Calibration::from_text(&text, "key"), Some(measured));
}

#[test]
fn off_is_no_error_of_a_driver() {
    let error = Gpu::open(&Choice::Off).unwrap_err();
    assert_eq!(error, GpuError::Absent("PELTON_GPU is off".to_owned()));
}

#[test]
fn every_permutation_that_the_device_has_compiles() {
    let Some(gpu) = device() else { return };
    for entry in &CATALOGUE {
        let usable = entry.flags.without(Flags::CAPABILITIES.without(gpu.flags()));
        for flags in usable.subsets() {
            let wide = flags.contains(Flags::LOW);
            if wide && gpu.adapter().workgroup_bytes_max < entry.workgroup_bytes_max {
                continue;
            }
            gpu.pipeline_of(entry.pass, flags)
                .unwrap_or_else(|error| panic!("{} {flags}: {error}", entry.name));
        }
    }
}

/// A software Vulkan without 64-bit integers, where a browser has brought it.
fn swiftshader() -> Option<std::path::PathBuf> {
    let known =
        ["/usr/lib/chromium/libvk_swiftshader.so", "/opt/google/chrome/libvk_swiftshader.so"];
    let named = std::env::var_os("PELTON_SWIFTSHADER").map(std::path::PathBuf::from);
    named.into_iter().chain(known.map(Into::into)).find(|path| path.exists())
}

/// Runs the suite of kernels again in a process with other variables.
fn again(what: &str, variables: &[(&str, &str)]) {
    let own = std::env::current_exe().expect("this program");
    let mut command = Command::new(own);
    command.args(["tests::gpu::", "tests::gpu_scores::"]).env(CHILD, "1").env(REQUIRED, "1");
    command.envs(variables.iter().copied());
    let output = command.output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{what}:\n{text}{}", String::from_utf8_lossy(&output.stderr));
    let result = text.lines().rfind(|line| line.starts_with("test result")).unwrap_or_default();
    assert!(!result.contains(" 0 passed"), "{what}: {text}");
    say(&format!("gpu: on {what}: {result}"));
}

#[test]
fn the_suite_on_subgroups_of_other_sizes_and_on_a_weak_device() {
    let Some(gpu) = device() else { return };
    if std::env::var_os(CHILD).is_some() || gpu.adapter().kind != "software" {
        return;
    }
    if gpu.adapter().name.contains("llvmpipe") {
        for (width, size) in [("128", 4), ("512", 16)] {
            let what = format!("llvmpipe with subgroups of {size}");
            again(&what, &[("LP_NATIVE_VECTOR_WIDTH", width), (GPU_VARIABLE, "llvmpipe")]);
        }
    }
    match swiftshader() {
        None => say("gpu: skipped, no SwiftShader here"),
        Some(library) => {
            let folder = std::env::temp_dir().join(format!("pelton-icd-{}", std::process::id()));
            std::fs::create_dir_all(&folder).expect("a folder");
            let description = folder.join("swiftshader.json");
            let text = format!(
                r#"{{"file_format_version": "1.0.0", "ICD": {{"library_path": "{}", "api_version": "1.1.0"}}}}"#,
                library.display()
            );
            std::fs::write(&description, text).expect("a file");
            let path = description.display().to_string();
            let variables = [
                ("VK_ICD_FILENAMES", &*path),
                ("VK_DRIVER_FILES", &*path),
                (GPU_VARIABLE, "swiftshader"),
            ];
            again("SwiftShader", &variables);
            std::fs::remove_dir_all(&folder).expect("the folder");
        }
    }
}
