package terraform

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/demo"
	"github.com/seltzer-soda/seltzer/pkg/doctor"
	"github.com/seltzer-soda/seltzer/pkg/objects/gcstest"
	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// The functions that were applied, each started with exactly the environment that it was
// given, and joined by the subscriptions that were applied, complete a cutout. What stands for
// Google here: its emulators of Firestore and Pub/Sub, a fake of Cloud Storage, a proxy that
// leads the functions' URLs to this machine, and a key in the place of IAM.
func TestAppliedEnvironment(t *testing.T) {
	e := applied(t)
	firestore, pubSub := outside.Firestore(t), outside.PubSub(t)
	dir := t.TempDir()
	program := filepath.Join(dir, "functions")
	outside.Run(t, "go", "build", "-o", program, "github.com/seltzer-soda/seltzer/functions")

	functions := e.functions()
	soda := functions["soda"].variables()
	key, keyFile := newKey(t, dir)
	storage, err := gcstest.Listen(t.Context(), "127.0.0.1:0", "127.0.0.1:0", "", functions["signer"].variables()["SELTZER_SIGNING_ACCOUNT"], key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(storage.Close)
	for _, bucket := range e.of("google_storage_bucket") {
		storage.CreateBucket(bucket.text("name"))
	}
	image := fillArchive(t, storage, dir, soda["SELTZER_ARCHIVES"])

	addresses := map[string]string{} // by the hosts of the functions' URLs
	for _, f := range functions {
		if addresses[host(t, f.variables()["SELTZER_AUDIENCE"])], err = outside.FreeAddress(); err != nil {
			t.Fatal(err)
		}
	}
	network := newNetwork(t, addresses)
	subscribe(t, e, addresses)
	for name, f := range functions {
		address := addresses[host(t, f.variables()["SELTZER_AUDIENCE"])]
		_, port, _ := net.SplitHostPort(address)
		environment := append(network.environment(),
			"FUNCTION_TARGET="+f.text("build_config", "entry_point"), "K_SERVICE="+name, "PORT="+port, // of the platform
			"FIRESTORE_EMULATOR_HOST="+firestore, "PUBSUB_EMULATOR_HOST="+pubSub, "STORAGE_EMULATOR_HOST="+storage.API,
			"SELTZER_INSECURE=true", "SELTZER_SIGNING_KEY="+keyFile, "SELTZER_STORAGE_URL="+storage.Public,
		)
		for variable, value := range f.variables() {
			environment = append(environment, variable+"="+value)
		}
		start(t, program, address, environment)
	}

	client := network.client()
	name, _, _ := strings.Cut(soda["SELTZER_ARCHIVES"], "=")
	query := url.Values{"ID": {archive.Prefix(soda["SELTZER_AUTHORITY"], name) + filepath.Base(image)}, "CIRCLE": {"150.1163 2.2058 0.0036"}}
	cutout := filepath.Join(dir, "cutout.fits")
	if err := os.WriteFile(cutout, get(t, client, soda["SELTZER_PUBLIC_URL"]+"/sync?"+query.Encode()), 0o600); err != nil {
		t.Fatal(err)
	}
	if body := get(t, client, soda["SELTZER_PUBLIC_URL"]+"/availability"); !strings.Contains(string(body), "available>true<") {
		t.Errorf("the service is not available:\n%s", body)
	}
	sweep := e.one(t, "google_cloud_scheduler_job", "sweep")
	answer, err := client.Post(sweep.text("http_target", "uri"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("what the scheduler calls answers %s", answer.Status)
	}
	outside.Judge(t, image, "0", "CIRCLE 150.1163 2.2058 0.0036", cutout)
	examine(t, soda["SELTZER_PROJECT"], client)
}

// examine has the doctor examine what was applied, at the fake that it was applied to, and the
// functions that run; it finds nothing to mend.
func examine(t *testing.T, project string, client *http.Client) {
	t.Helper()
	if os.Getenv("GOOGLE_CLOUDFUNCTIONS2_CUSTOM_ENDPOINT") == "" {
		t.Fatal("the fake is not named: scripts/check-terraform does")
	}
	t.Setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "none")
	findings, err := doctor.Examine(t.Context(), doctor.Config{Project: project, Region: "us-central1", Client: client})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		switch {
		case f.Outcome == doctor.Failed:
			t.Errorf("%s: %s; mend: %s", f.Name, f.Found, f.Mend)
		case f.Outcome == doctor.Unseen && f.Group != "database": // the fake lists no indexes
			t.Errorf("%s was not seen: %s", f.Name, f.Found)
		}
	}
	t.Logf("%v", doctor.Count(findings))
}

func host(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		t.Fatalf("%q is no URL: %v", address, err)
	}
	return u.Host
}

// newKey makes the key that stands for IAM.
func newKey(t *testing.T, dir string) (*rsa.PublicKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey, file
}

// fillArchive puts an image into the bucket of the one archive, and returns its file.
func fillArchive(t *testing.T, storage *gcstest.Storage, dir, archives string) string {
	t.Helper()
	_, address, _ := strings.Cut(archives, "=gs://")
	bucket, folder, _ := strings.Cut(address, "/")
	if err := demo.Write(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(dir, demo.Names()[0])
	data, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	storage.CreateBucket(bucket)
	storage.Put(bucket, strings.TrimPrefix(folder+"/"+filepath.Base(image), "/"), data)
	return image
}

// subscribe makes the topics and subscriptions that were applied.
func subscribe(t *testing.T, e environment, addresses map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := pubsub.NewClient(ctx, e.functions()["soda"].variables()["SELTZER_PROJECT"])
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, topic := range e.of("google_pubsub_topic") {
		if _, err := client.TopicAdminClient.CreateTopic(ctx, &pubsubpb.Topic{Name: topic.text("id")}); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range e.of("google_pubsub_subscription") {
		endpoint, err := url.Parse(s.text("push_config", "push_endpoint"))
		if err != nil {
			t.Fatal(err)
		}
		endpoint.Scheme, endpoint.Host = "http", addresses[endpoint.Host]
		if _, err := client.SubscriptionAdminClient.CreateSubscription(ctx, &pubsubpb.Subscription{
			Name: s.text("id"), Topic: s.text("topic"), AckDeadlineSeconds: int32(s.number("ack_deadline_seconds")),
			PushConfig: &pubsubpb.PushConfig{PushEndpoint: endpoint.String()},
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// start starts a function with an environment and no more, and waits until it listens.
func start(t *testing.T, program, address string, environment []string) {
	t.Helper()
	child, err := outside.NewChild(program)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	child.Env, child.Stdout, child.Stderr = append(environment, "PATH="+os.Getenv("PATH")), &log, &log
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		child.Stop()
		if t.Failed() {
			t.Logf("%v:\n%s", environment, &log)
		}
	})
	if err := child.Listens(address, time.Minute); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, client *http.Client, address string) []byte {
	t.Helper()
	answer, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v\n%.500s", address, answer.Status, err, body)
	}
	return body
}
