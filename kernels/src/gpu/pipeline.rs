//! Compiled passes: each permutation once a device.

use std::collections::HashMap;
use std::sync::Arc;

use pelton_shaders::{Access, Flags, Pass, expand};

use super::device::lock;
use super::{Gpu, GpuError};

/// Those compiled so far.
pub(super) type Pipelines = HashMap<(Pass, Flags), Arc<Pipeline>>;

/// A permutation of a pass, ready to run.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

impl Gpu {
    /// The permutation of a pass that `form` and the device's abilities lead to. Compiled at
    /// first use, which takes milliseconds to some hundreds of them.
    pub(super) fn pipeline(&self, pass: Pass, form: Flags) -> Result<Arc<Pipeline>, GpuError> {
        let mut usable = self.flags();
        if pass.entry().flags.contains(Flags::FLOAT64) && !self.float64_is_exact() {
            usable = usable.without(Flags::FLOAT64);
        }
        self.pipeline_of(pass, pass.entry().permutation(usable.or(form)))
    }

    /// A permutation of a pass.
    pub(super) fn pipeline_of(&self, pass: Pass, flags: Flags) -> Result<Arc<Pipeline>, GpuError> {
        if let Some(known) = lock(&self.inner.pipelines).get(&(pass, flags)) {
            return Ok(Arc::clone(known));
        }
        // Compiled outside of the lock: another thread may do the same once more, no harm done.
        let made = Arc::new(self.scoped(0, || self.compile(pass, flags))??);
        lock(&self.inner.pipelines).insert((pass, flags), Arc::clone(&made));
        Ok(made)
    }

    fn compile(&self, pass: Pass, flags: Flags) -> Result<Pipeline, GpuError> {
        let (entry, device) = (pass.entry(), &self.inner.device);
        let text = expand(pass, flags).map_err(|error| GpuError::Refused(error.to_string()))?;
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(entry.name),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let bindings: Vec<wgpu::BindGroupLayoutEntry> = entry
            .bindings
            .iter()
            .enumerate()
            .map(|(number, binding)| wgpu::BindGroupLayoutEntry {
                binding: number as u32,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: match binding.access {
                        Access::Uniform => wgpu::BufferBindingType::Uniform,
                        Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
                        Access::Write => wgpu::BufferBindingType::Storage { read_only: false },
                    },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(entry.name),
            entries: &bindings,
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(entry.name),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        Ok(Pipeline { pipeline, layout })
    }
}
