run "a_host_knows_what_to_run_and_where_it_comes_from" {
  command = plan
  assert {
    condition     = strcontains(output.files["/etc/meridian/host.env"], "export RELEASE='1.2.3'\n") && strcontains(output.files["/etc/meridian/host.env"], "export CAPACITY='1000'\n")
    error_message = output.files["/etc/meridian/host.env"]
  }
  assert {
    condition     = output.files["/etc/meridian/secrets.list"] == "kit/north/redis-password redis-password\n"
    error_message = output.files["/etc/meridian/secrets.list"]
  }
}

run "it_fits_user_data" {
  command = plan
  assert {
    condition     = length(output.user_data) < 16384
    error_message = "user data has 16 KiB, this is ${length(output.user_data)} in base64"
  }
}

run "packages_of_somebody_else_are_refused" {
  command = plan
  variables {
    packages = ["nginx"]
    release  = "latest version"
  }
  expect_failures = [var.packages, var.release]
}
