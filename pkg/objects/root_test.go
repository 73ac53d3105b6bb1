package objects_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
	"pgregory.net/rapid"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
)

func TestOpenRootAddresses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, tt := range []struct {
		url  string
		want fault.Code
		says string
	}{
		{dir, "", ""},
		{".", "", ""},
		{"file://" + dir, "", ""},
		{"file://localhost" + dir, "", ""},
		{"file://./", "", ""},
		{"mem://", "", ""},
		{"mem://x/some/path/", "", ""},
		{"https://archive.example.org/dr1", "", ""},
		{"http://localhost:8080/dr1", "", ""},
		{"http://[::1]/dr1", "", ""},
		{"", fault.Usage, "empty"},
		{filepath.Join(dir, "none"), fault.NotFound, "no folder"},
		{file, fault.Usage, "folder"},
		{"file://otherhost/data", fault.Usage, "otherhost"},
		{"file:///data?x=1", fault.Usage, "file:///folder"},
		{"gs://bucket/dr1", fault.Usage, "cannot read gs://"},
		{"s3://bucket", fault.Usage, "cannot read s3://"},
		{"ftp://host/dr1", fault.Usage, "cannot read ftp://"},
		{"mem://x/a/../../b", fault.Usage, ".."},
		{"http://archive.example.org/dr1", fault.Usage, "not https"},
		{"http://127.0.0.1.example.org/", fault.Usage, "not https"},
		{"https://u:secret@archive.example.org/", fault.Usage, "user name"},
		{"https://archive.example.org/get?file=", fault.Usage, "without"},
		{"https:///dr1", fault.Usage, "https://host"},
		{"https://169.254.169.254/computeMetadata", fault.Usage, "private address"},
		{"https://10.0.0.7/dr1", fault.Usage, "private address"},
		{"https://[fd00::1]/dr1", fault.Usage, "private address"},
		{"https://[::ffff:10.0.0.7]/dr1", fault.Usage, "private address"},
		{"https://a b/", fault.Usage, "no URL"},
	} {
		root, err := objects.OpenRoot(t.Context(), tt.url)
		if err == nil {
			root.Close()
		}
		if fault.CodeOf(err) != tt.want || err != nil && !strings.Contains(fault.Sentence(err), tt.says) {
			t.Errorf("OpenRoot(%q): %v; want %q saying %q", tt.url, err, tt.want, tt.says)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("OpenRoot(%q) tells the password: %v", tt.url, err)
		}
	}
	for _, url := range []string{"https://archive.example.org/dr1", "gs://bucket", filepath.Join(dir, "file", "below")} {
		if b, err := objects.OpenBucket(t.Context(), url); fault.CodeOf(err) != fault.Usage {
			t.Errorf("OpenBucket(%q): %v, %v; want Usage", url, b, err)
		}
	}
}

// TestFolderHoldsItsReaders tries the ways out of a folder that do not show in a name.
func TestFolderHoldsItsReaders(t *testing.T) {
	top := t.TempDir()
	write(t, top, "secret.fits", []byte("secret"), false)
	write(t, top, "archive/dr1/a.fits", []byte("public"), false)
	write(t, top, "archive2/b.fits", []byte("neighbour"), false)
	dir := filepath.Join(top, "archive")
	for link, to := range map[string]string{
		"out.fits":       filepath.Join(top, "secret.fits"),
		"up.fits":        "../secret.fits",
		"dr1/upup.fits":  "../../secret.fits",
		"outdir":         top,
		"neighbour.fits": "../archive2/b.fits",
		"back.fits":      "../archive/dr1/a.fits", // leads out, and in again
		"loop.fits":      "loop.fits",
		"null.fits":      "/dev/null",
		"inside.fits":    "dr1/a.fits",
		"insidedir":      "dr1",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skipf("this file system has no symbolic links: %v", err)
		}
	}
	root := openRoot(t, dir)
	for _, name := range []string{
		"out.fits", "up.fits", "dr1/upup.fits", "outdir/secret.fits", "outdir/archive/dr1/a.fits", "neighbour.fits",
		"back.fits", "loop.fits", "null.fits", "dr1",
	} {
		src, err := root.Open(t.Context(), name)
		if err == nil {
			src.Close()
		}
		if !errors.Is(err, fault.NotFound) || strings.Contains(fault.Sentence(err), top) {
			t.Errorf("Open(%q): %v; want NotFound without the path of the folder", name, err)
		}
	}
	for _, name := range []string{"inside.fits", "insidedir/a.fits", "dr1/a.fits"} {
		src, err := root.Open(t.Context(), name)
		if err != nil {
			t.Errorf("Open(%q): %v; want the file inside", name, err)
			continue
		}
		defer src.Close()
		p := make([]byte, 6)
		if _, err := src.ReadAt(t.Context(), p, 0); string(p) != "public" {
			t.Errorf("%q holds %q, %v; want public", name, p, err)
		}
	}
	var listed []string
	for name, err := range root.(objects.Lister).List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, name)
	}
	if got := strings.Join(listed, " "); got != "dr1/a.fits inside.fits" {
		t.Errorf("List: %s; want what Open opens, without linked folders: dr1/a.fits inside.fits", got)
	}
}

func TestFolderNotReadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("the superuser may read every file")
	}
	dir := t.TempDir()
	write(t, dir, "a.fits", []byte("x"), false)
	if err := os.Chmod(filepath.Join(dir, "a.fits"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := openRoot(t, dir).Open(t.Context(), "a.fits"); !errors.Is(err, fault.Forbidden) {
		t.Errorf("Open: %v; want Forbidden", err)
	}
}

// TestPinned says what a pin is asked and that its answer is used in every read.
func TestPinned(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	defer bucket.Close()
	if err := bucket.WriteAll(t.Context(), "a.fits", []byte("12345"), nil); err != nil {
		t.Fatal(err)
	}
	reads, gone := 0, false
	root := objects.NewBlobRoot(bucket, "mem://", func(attrs *blob.Attributes) (string, func(func(any) bool) error) {
		if attrs.Size != 5 {
			t.Errorf("the pin sees a size of %d; want 5", attrs.Size)
		}
		return "generation 7", func(func(any) bool) error {
			if reads++; gone {
				return errors.New("no such generation")
			}
			return nil
		}
	})
	src, err := root.Open(t.Context(), "a.fits")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := src.ReadAt(t.Context(), make([]byte, 5), 0); err != nil || reads != 1 || src.Generation() != "generation 7" {
		t.Errorf("ReadAt: %v, %d uses of the pin, generation %q; want nil, 1, generation 7", err, reads, src.Generation())
	}
	gone = true
	if _, err := src.ReadAt(t.Context(), make([]byte, 5), 0); !errors.Is(err, fault.Unavailable) {
		t.Errorf("ReadAt of a generation that is gone: %v; want Unavailable", err)
	}
}

func TestSourceOutlivesItsRoot(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.fits", []byte("12345"), false)
	root, err := objects.OpenRoot(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	src, err := root.Open(t.Context(), "a.fits")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	root.Close()
	if n, err := src.ReadAt(t.Context(), make([]byte, 5), 0); n != 5 || err != nil {
		t.Errorf("ReadAt after Close of the root: %d, %v; want 5, nil", n, err)
	}
	if time.Since(src.ModTime()) > time.Minute {
		t.Errorf("ModTime %v; want now", src.ModTime())
	}
}

// staysBelow holds CleanName against the rules of the file system.
func staysBelow(t interface{ Errorf(string, ...any) }, name string) {
	if objects.CleanName(name) == nil && (!filepath.IsLocal(name) || filepath.ToSlash(filepath.Clean(name)) != name) {
		t.Errorf("CleanName takes %q, which is not a clean path below a folder", name)
	}
}

func TestCleanNameStaysBelow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		staysBelow(t, rapid.StringOfN(rapid.RuneFrom([]rune(`./\a%2 `)), 0, 20, -1).Draw(t, "name"))
	})
}

func FuzzCleanName(f *testing.F) {
	for _, name := range []string{"dr1/a.fits", "../x", "a//b", "a/./b", `a\b`, "a\x00", "%2e%2e/x", "ümlaut"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) { staysBelow(t, name) })
}
