project_id        = "example-soda-stage"
deployers         = ["group:soda@example.org"]
github_repository = "example/seltzer" # its workflows on main deploy without a key
