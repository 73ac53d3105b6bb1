# An environment to try things in, which can be destroyed whole.
environment    = "dev"
project_id     = "example-soda-dev"
project_number = "100000000001"
authority      = "example.org"
archives       = { dr1 = { url = "gs://example-dr1" } }
public         = true
force_destroy  = true
# notification_emails = ["you@example.org"] # whom alerts reach
