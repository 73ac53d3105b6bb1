project_id = "example-soda-dev"
deployers  = ["user:you@example.org"] # who may act as seltzer-deployer
