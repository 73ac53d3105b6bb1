project_id = "example-soda-prod"
deployers  = ["group:oncall@example.org"]
edge       = true # the rights to make a load balancer
