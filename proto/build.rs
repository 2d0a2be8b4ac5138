//! Compiles `mesh/v1/*.proto` without protoc, and keeps the descriptor set for gRPC reflection.

use std::error::Error;
use std::path::PathBuf;

const FILES: [&str; 3] = [
    "mesh/v1/telemetry.proto",
    "mesh/v1/topology.proto",
    "mesh/v1/rebalance.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=mesh");
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("mesh_descriptor.bin"), prost_encode(&descriptors))?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}

fn prost_encode(descriptors: &protox::prost_reflect::prost_types::FileDescriptorSet) -> Vec<u8> {
    use protox::prost_reflect::prost::Message as _;
    descriptors.encode_to_vec()
}
