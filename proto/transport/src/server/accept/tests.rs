use super::*;

#[tokio::test(start_paused = true)]
async fn a_machine_out_of_descriptors_is_waited_for_and_a_peer_that_gave_up_is_not() {
    let mut pressure = Pressure::default();
    let began = Instant::now();
    pressure.wait(&io::ErrorKind::ConnectionAborted.into()).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(!pressure.failing);
    pressure.wait(&io::Error::from_raw_os_error(24)).await;
    assert_eq!(began.elapsed(), Pressure::PAUSE);
    assert!(pressure.failing);
    pressure.relieved();
    assert!(!pressure.failing);
}
