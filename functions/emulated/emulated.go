// Package emulated is the cloud in small: the functions on this machine, each in a process
// of its own with the framework's own server, over Google's emulators of Firestore and
// Pub/Sub and a fake of Cloud Storage, wired by push subscriptions as a deployment is.
//
// What it cannot show: rights, quotas, indexes and time-to-live rules; and the emulator of
// Pub/Sub posts two messages at a time, some 0.1 s after they come.
package emulated

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/batch"
	"github.com/seltzer-soda/seltzer/pkg/demo"
	"github.com/seltzer-soda/seltzer/pkg/objects/gcstest"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// What the deployment is called.
const (
	Authority = "example.org"
	Archive   = "demo"
	account   = "signer@example.iam.gserviceaccount.com"

	ArchiveBucket = "archive"
	BatchBucket   = "batch" // of manifests, under owners/OWNER/
	RowsOwner     = "rows"  // whose batches are that bring their rows in the message
	resultsBucket = "results"
)

// bulk is the second deployment of the function cutout, for large jobs.
const bulk = "cutout-bulk"

// startTime is how long a function may take to listen, on a busy machine.
const startTime = time.Minute

// Options say how the cloud is started.
type Options struct {
	Listen string        // address of soda; default a free one of this machine
	Sweep  time.Duration // between two sweeps; default 10 s, less than 0 for none
	Log    io.Writer     // of the functions; default none
	Env    []string      // further variables of the functions, which win over those of the deployment

	Courier *Courier // stands between Pub/Sub and the functions; nil: nothing does
	Wired   bool     // the functions reach the emulators by [Cloud.Wires], which can be cut
}

// Cloud is a running cloud in small.
type Cloud struct {
	URL     string           // of soda
	Results string           // with what the URLs of results begin
	Wires   map[string]*Wire // by what sets the address: FIRESTORE_EMULATOR_HOST, …; none unless asked for

	options   Options
	dir       string
	project   string
	storage   *gcstest.Storage
	addresses map[string]string
	children  map[string]*outside.Child
	stop      context.CancelFunc
	swept     chan struct{}
}

// Start starts the emulators, unless they run (FIRESTORE_EMULATOR_HOST, PUBSUB_EMULATOR_HOST),
// and everything else, with the demo archive in a bucket. It needs Go, to build the functions.
func Start(ctx context.Context, o Options) (_ *Cloud, err error) {
	c := &Cloud{options: o, project: "seltzer-" + uws.NewID(), addresses: map[string]string{}, children: map[string]*outside.Child{}}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.dir, err = os.MkdirTemp("", "seltzer-cloud-"); err != nil {
		return nil, err
	}
	_, firestoreErr := outside.StartFirestore()
	_, pubSubErr := outside.StartPubSub()
	key, keyErr := writeKey(c.keyFile())
	if err := errors.Join(firestoreErr, pubSubErr, keyErr); err != nil {
		return nil, err
	}
	if c.storage, err = gcstest.Listen(ctx, "127.0.0.1:0", "127.0.0.1:0", "", account, &key.PublicKey); err != nil {
		return nil, err
	}
	c.Results = c.storage.Public + "/" + resultsBucket + "/"
	if err := c.fillArchive(ctx); err != nil {
		return nil, err
	}
	if err := c.trouble(ctx); err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", c.program(), "github.com/seltzer-soda/seltzer/functions") // #nosec G204 -- a folder of its own
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the functions cannot be built: %w\n%s", err, out)
	}
	for _, function := range []string{cloud.Soda, cloud.Cutout, bulk, cloud.Signer} {
		if c.addresses[function], err = outside.FreeAddress(); err != nil {
			return nil, err
		}
	}
	c.addresses[cloud.Soda] = cmp.Or(o.Listen, c.addresses[cloud.Soda])
	c.URL = c.url(cloud.Soda)
	if err := c.subscribe(ctx); err != nil {
		return nil, err
	}
	for function := range c.addresses {
		if err := c.Run(function); err != nil {
			return nil, err
		}
	}
	c.sweep()
	return c, nil
}

// trouble lays the wires and has the courier listen.
func (c *Cloud) trouble(ctx context.Context) error {
	if c.options.Courier != nil {
		if err := c.options.Courier.start(ctx); err != nil {
			return err
		}
	}
	if !c.options.Wired {
		return nil
	}
	c.Wires = map[string]*Wire{}
	for variable, to := range map[string]string{
		"FIRESTORE_EMULATOR_HOST": os.Getenv("FIRESTORE_EMULATOR_HOST"), "PUBSUB_EMULATOR_HOST": os.Getenv("PUBSUB_EMULATOR_HOST"), "STORAGE_EMULATOR_HOST": c.storage.API,
	} {
		w, err := NewWire(ctx, to)
		if err != nil {
			return err
		}
		c.Wires[variable] = w
	}
	return nil
}

func (c *Cloud) url(function string) string { return "http://" + c.addresses[function] }
func (c *Cloud) program() string            { return filepath.Join(c.dir, "functions") }
func (c *Cloud) keyFile() string            { return filepath.Join(c.dir, "key.pem") }

// writeKey makes the key that stands for IAM.
func writeKey(file string) (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// fillArchive puts the demo archive into its bucket, and a manifest into that of manifests.
func (c *Cloud) fillArchive(ctx context.Context) error {
	c.storage.CreateBucket(ArchiveBucket)
	c.storage.CreateBucket(resultsBucket)
	c.storage.CreateBucket(BatchBucket)
	images := filepath.Join(c.dir, "demo")
	if err := demo.Write(ctx, images); err != nil {
		return err
	}
	for _, name := range demo.Names() {
		data, err := os.ReadFile(filepath.Join(images, name)) // #nosec G304 -- files that it wrote
		if err != nil {
			return err
		}
		c.storage.Put(ArchiveBucket, Archive+"/"+name, data)
	}
	rows := "ID,ra,dec,label\n"
	for i, dec := range []float64{2.2048, 2.2058, 2.2068} {
		rows += fmt.Sprintf("%sstarfield.fits,150.1163,%g,star %d\n", archive.Prefix(Authority, Archive), dec, i+1)
	}
	c.storage.Put(BatchBucket, stars, []byte(rows))
	return nil
}

// environment is what a deployment sets, and what only emulators take.
func (c *Cloud) environment() []string {
	deployed := append(os.Environ(),
		"SELTZER_PROJECT="+c.project,
		"SELTZER_TOPIC_INTERACTIVE="+string(uws.Interactive), "SELTZER_TOPIC_BULK="+string(uws.Bulk),
		"SELTZER_ARCHIVES="+Archive+"=gs://"+ArchiveBucket+"/"+Archive, "SELTZER_AUTHORITY="+Authority,
		"SELTZER_PUBLIC_URL="+c.URL, "SELTZER_SIGNER_URL="+c.url(cloud.Signer),
		"SELTZER_RESULTS_BUCKET="+resultsBucket, "SELTZER_BATCH_BUCKET="+BatchBucket, "SELTZER_BATCH_OWNER="+RowsOwner, "SELTZER_TOPIC_JOB_ENDED="+endedTopic,
		"SELTZER_PUSH_ACCOUNT=push@example.org", "SELTZER_SWEEP_ACCOUNT=sweep@example.org", "SELTZER_SODA_ACCOUNT=soda@example.org",
		"SELTZER_SIGNING_ACCOUNT="+account, "SELTZER_AUDIENCE="+c.URL,
		"STORAGE_EMULATOR_HOST="+c.storage.API,
		"SELTZER_QUOTA_JOBS=0", "SELTZER_QUOTA_REQUESTS=0", "SELTZER_QUOTA_BACKLOG=0", // one machine asks for everybody
		"SELTZER_INSECURE=true", "SELTZER_SIGNING_KEY="+c.keyFile(), "SELTZER_STORAGE_URL="+c.storage.Public,
	)
	for variable, w := range c.Wires {
		deployed = append(deployed, variable+"="+w.Address)
	}
	return append(deployed, c.options.Env...)
}

// Run starts a function, and waits until it listens: one that was killed goes on.
func (c *Cloud) Run(function string) error {
	child, err := outside.NewChild(c.program())
	if err != nil {
		return err
	}
	target := function
	if function == bulk {
		target = cloud.Cutout
	}
	_, port, err := net.SplitHostPort(c.addresses[function])
	if err != nil {
		return err
	}
	child.Env = append(c.environment(), "FUNCTION_TARGET="+target, "PORT="+port)
	child.Stdout, child.Stderr = c.options.Log, c.options.Log
	if err := child.Start(); err != nil {
		return err
	}
	c.children[function] = child
	if err := child.Listens(c.addresses[function], startTime); err != nil {
		return fmt.Errorf("the function %s: %w; its log says why", function, err)
	}
	return nil
}

// Curl returns the shell command of a request that gives a small cutout.
func (c *Cloud) Curl() string {
	id := archive.Prefix(Authority, Archive) + "starfield.fits"
	return fmt.Sprintf("curl -sSfL -G '%s/sync' --data-urlencode 'ID=%s' --data-urlencode 'CIRCLE=150.1163 2.2058 0.0036' -o cutout.fits", c.URL, id)
}

// Exports returns shell commands after which programs find this cloud: its emulators, where
// Google's clients look for them, and its names.
func (c *Cloud) Exports() string {
	return fmt.Sprintf("export FIRESTORE_EMULATOR_HOST=%s PUBSUB_EMULATOR_HOST=%s STORAGE_EMULATOR_HOST=%s\n"+
		"export PROJECT=%s TOPIC=projects/%s/topics/%s ARCHIVE=gs://%s/%s MANIFESTS=gs://%s/%s RESULTS=gs://%s",
		os.Getenv("FIRESTORE_EMULATOR_HOST"), os.Getenv("PUBSUB_EMULATOR_HOST"), c.storage.API,
		c.project, c.project, batchTopic, ArchiveBucket, Archive, BatchBucket, path.Clean(batch.Folder("")), resultsBucket)
}

// stars is a manifest that lies in the folder of who has no name, as everybody here.
var stars = batch.Folder("") + batch.Kept + "stars.csv"

// Submit returns the shell command that asks for the cutouts of a small manifest by the topic,
// and waits for them. It wants what Exports says, and the root of the repository.
func (c *Cloud) Submit() string {
	return fmt.Sprintf(`go run ./cmd/seltzer submit %s --stored -o STAMP=16 --topic "$TOPIC" --url %s --watch`, stars, c.URL)
}

// Process returns the process group of a function.
func (c *Cloud) Process(function string) int { return c.children[function].Process.Pid }

// Kill ends a function as kill -9 does.
func (c *Cloud) Kill(function string) { c.children[function].Kill() }

// Stop tells a function to end, as the platform does, and waits until it has.
func (c *Cloud) Stop(function string) { c.children[function].Stop() }

// sweep sweeps as a scheduler would, until the cloud is closed.
func (c *Cloud) sweep() {
	period := cmp.Or(c.options.Sweep, 10*time.Second)
	ctx, stop := context.WithCancel(context.Background())
	c.stop, c.swept = stop, make(chan struct{})
	go func() {
		defer close(c.swept)
		for period > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(period):
				_ = c.Sweep(ctx) // the next one comes soon
			}
		}
	}()
}

// Sweep has the function cutout sweep once.
func (c *Cloud) Sweep(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url(cloud.Cutout)+"/sweep", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the sweep was answered %s", answer.Status)
	}
	return nil
}

// Close ends everything but the emulators, which end with this process.
func (c *Cloud) Close() {
	if c.stop != nil {
		c.stop()
		<-c.swept
	}
	for _, child := range c.children {
		child.Stop()
	}
	if c.options.Courier != nil {
		c.options.Courier.close()
	}
	for _, w := range c.Wires {
		w.Close()
	}
	if c.storage != nil {
		c.storage.Close()
	}
	_ = os.RemoveAll(c.dir)
}
