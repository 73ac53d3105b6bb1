package sqlitedb_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
)

// childFile names the data file to a child process, see [TestKilledWriterLosesNothingAcknowledged].
const childFile = "SELTZER_TEST_SQLITEDB_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		writeForever(path)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("testing.(*B).run1"))
}

func open(t testing.TB) *sqlitedb.DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "test.db"))
}

func openAt(t testing.TB, path string) *sqlitedb.DB {
	t.Helper()
	db, err := sqlitedb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	must(t, db, "CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY)")
	return db
}

func must(t testing.TB, db *sqlitedb.DB, query string, args ...any) {
	t.Helper()
	if err := db.Write(t.Context(), run(query, args...)); err != nil {
		t.Fatal(err)
	}
}

func run(query string, args ...any) func(context.Context, *sqlitedb.Tx) error {
	return func(ctx context.Context, tx *sqlitedb.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	}
}

const insert = "INSERT INTO kept VALUES (?)"

func names(t testing.TB, db *sqlitedb.DB) map[string]bool {
	t.Helper()
	return column(t, db, "SELECT name FROM kept")
}

func column(t testing.TB, db *sqlitedb.DB, query string) map[string]bool {
	t.Helper()
	rows, err := db.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]bool{}
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all[s] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWriteIsSeenByTheNextRead(t *testing.T) {
	db := open(t)
	for i := range 100 {
		name := fmt.Sprint(i)
		must(t, db, insert, name)
		if !names(t, db)[name] {
			t.Fatalf("row %s is not there after Write returned", name)
		}
	}
}

func TestModes(t *testing.T) {
	db := open(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		err := db.Write(t.Context(), func(ctx context.Context, tx *sqlitedb.Tx) error {
			rows, err := tx.Query(ctx, "PRAGMA "+pragma)
			if err != nil {
				return err
			}
			defer rows.Close()
			rows.Next()
			return rows.Scan(&got)
		})
		if err != nil || got != want {
			t.Errorf("the writer's %s is %s, %v; want %s", pragma, got, err, want)
		}
	}
	rows, err := db.Query(t.Context(), "INSERT INTO kept VALUES ('by a reader') RETURNING name")
	if err == nil {
		rows.Next()
		err = rows.Err()
		rows.Close()
	}
	if err == nil {
		t.Error("a read connection wrote")
	}
}

// Writes that wait at the same moment share a commit; each that fails is alone in it.
func TestFailedWriteTakesOnlyItselfBack(t *testing.T) {
	db := open(t)
	own := errors.New("own error")
	var wg sync.WaitGroup
	hold, held := make(chan struct{}), make(chan struct{})
	wg.Go(func() { // keeps the line standing until all others wait in it
		_ = db.Write(t.Context(), func(context.Context, *sqlitedb.Tx) error { close(held); <-hold; return nil })
	})
	<-held
	errs := make([]error, 40)
	for i := range errs {
		wg.Go(func() {
			errs[i] = db.Write(t.Context(), func(ctx context.Context, tx *sqlitedb.Tx) error {
				if _, err := tx.Exec(ctx, insert, fmt.Sprint(i)); err != nil {
					return err
				}
				if i%4 == 1 {
					return own
				}
				if i%4 == 2 {
					_, err := tx.Exec(ctx, insert, fmt.Sprint(i)) // breaks the primary key
					return err
				}
				return nil
			})
		})
	}
	time.Sleep(20 * time.Millisecond)
	close(hold)
	wg.Wait()
	got := names(t, db)
	for i, err := range errs {
		name := fmt.Sprint(i)
		switch i % 4 {
		case 1:
			if !errors.Is(err, own) || got[name] {
				t.Errorf("write %d: error %v, there %t; want its own error and nothing written", i, err, got[name])
			}
		case 2:
			if err == nil || got[name] {
				t.Errorf("write %d: error %v, there %t; want an error and nothing written", i, err, got[name])
			}
		default:
			if err != nil || !got[name] {
				t.Errorf("write %d: error %v, there %t; want it written", i, err, got[name])
			}
		}
	}
}

func TestWritesThatWaitShareACommit(t *testing.T) {
	db := open(t)
	var wg sync.WaitGroup
	hold, held := make(chan struct{}), make(chan struct{})
	wg.Go(func() {
		_ = db.Write(t.Context(), func(context.Context, *sqlitedb.Tx) error { close(held); <-hold; return nil })
	})
	<-held
	var ran, ranBeforeACommit int // only touched in the writer's turn
	for i := range 20 {
		wg.Go(func() {
			err := db.Write(t.Context(), func(ctx context.Context, tx *sqlitedb.Tx) error {
				ran++
				tx.OnCommit(func() {
					if ranBeforeACommit == 0 {
						ranBeforeACommit = ran
					}
				})
				return run(insert, fmt.Sprint(i))(ctx, tx)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(50 * time.Millisecond) // lets them reach the line; a late one joins a later commit
	close(hold)
	wg.Wait()
	if n := len(names(t, db)); n != 20 || ranBeforeACommit < 10 {
		t.Errorf("%d rows, %d of them in the first commit; want 20, and most in one", n, ranBeforeACommit)
	}
}

func TestContextThatEndsInLineDropsTheWrite(t *testing.T) {
	db := open(t)
	var wg sync.WaitGroup
	hold, held := make(chan struct{}), make(chan struct{})
	running, stop := context.WithCancel(t.Context())
	wg.Go(func() {
		err := db.Write(running, func(ctx context.Context, tx *sqlitedb.Tx) error {
			close(held)
			<-hold
			_, err := tx.Exec(ctx, insert, "running")
			return err
		})
		if err != nil {
			t.Errorf("the write that was running when its context ended: %v, want it finished", err)
		}
	})
	<-held
	waiting, leave := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer leave()
	if err := db.Write(waiting, run(insert, "waiting")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the write whose context ended in line: %v, want %v", err, context.DeadlineExceeded)
	}
	stop()
	close(hold)
	wg.Wait()
	if got := names(t, db); !got["running"] || got["waiting"] {
		t.Errorf("rows %v, want only the write that was running", got)
	}
}

func TestPanicStaysWithItsCaller(t *testing.T) {
	db := open(t)
	func() {
		defer func() {
			if p := recover(); p != "mine" {
				t.Errorf("recovered %v, want the panic of the function", p)
			}
		}()
		_ = db.Write(t.Context(), func(ctx context.Context, tx *sqlitedb.Tx) error {
			_, _ = tx.Exec(ctx, insert, "half")
			panic("mine")
		})
	}()
	must(t, db, insert, "whole")
	if got := names(t, db); got["half"] || !got["whole"] {
		t.Errorf("rows %v, want only the write after the panic", got)
	}
}

func TestOnCommitRunsAfterTheCommitOnly(t *testing.T) {
	db := open(t)
	var calls int
	hook := func(result error) error {
		return db.Write(t.Context(), func(ctx context.Context, tx *sqlitedb.Tx) error {
			if _, err := tx.Exec(ctx, "INSERT OR IGNORE INTO kept VALUES ('hooked')"); err != nil {
				return err
			}
			tx.OnCommit(func() {
				calls++
				if !names(t, db)["hooked"] {
					t.Error("the hook ran before the write could be read")
				}
			})
			return result
		})
	}
	if err := hook(errors.New("no")); err == nil || calls != 0 {
		t.Errorf("failed write: error %v and %d calls, want an error and none", err, calls)
	}
	if err := hook(nil); err != nil || calls != 1 {
		t.Errorf("write: error %v and %d calls, want one", err, calls)
	}
}

func TestSecondOpenerIsTurnedAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a%20b ?#&é.db") // a name that a URI could garble
	db := openAt(t, path)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the file is not where it was asked for: %v", err)
	}
	if second, err := sqlitedb.Open(path); !errors.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "in use by another process") {
		if err == nil {
			second.Close()
		}
		t.Errorf("second Open: %v, want fault.Unavailable that says so", err)
	}
	must(t, db, insert, "kept")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if again := openAt(t, path); !names(t, again)["kept"] {
		t.Error("the row is gone after close and open")
	}
}

// A full disk, played by a limit on the file: what does not fit is refused alone, with
// the file as it was, and what fits can be written again afterwards.
func TestFullFile(t *testing.T) {
	db := open(t)
	must(t, db, insert, "before")
	limit := func(pages int) {
		err := db.Write(t.Context(), func(ctx context.Context, tx *sqlitedb.Tx) error {
			rows, err := tx.Query(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
			if err != nil {
				return err
			}
			return rows.Close()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // becomes the present size
	big := strings.Repeat("x", 1<<20)
	if err := db.Write(t.Context(), run(insert, big)); err == nil {
		t.Fatal("a megabyte was written into a full file")
	}
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if err := db.Write(t.Context(), run(insert, big+fmt.Sprint(i))); err == nil {
				t.Error("a megabyte was written into a full file")
			}
		})
	}
	wg.Wait()
	limit(1 << 20)
	must(t, db, insert, "after")
	if got := names(t, db); len(got) != 2 || !got["before"] || !got["after"] {
		t.Errorf("%d rows, want the one before and the one after", len(got))
	}
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestClosed(t *testing.T) {
	db := open(t)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-db.Done():
	default:
		t.Error("Done is not closed")
	}
	if err := db.Write(t.Context(), run(insert, "late")); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Write after Close: %v, want fault.Unavailable", err)
	}
	if err := db.Check(t.Context()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Check after Close: %v, want fault.Unavailable", err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no data file\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"no folder":        filepath.Join(folder, "missing", "x.db"),
		"not a database":   text,
		"folder, not file": folder,
	} {
		if db, err := sqlitedb.Open(path); !errors.Is(err, fault.Unavailable) {
			if err == nil {
				db.Close()
			}
			t.Errorf("%s: %v, want fault.Unavailable", name, err)
		}
	}
	// A refusal keeps no lock.
	if err := os.Remove(text); err != nil {
		t.Fatal(err)
	}
	openAt(t, text)
}

// The test runs itself as a child that writes and acknowledges each row on standard
// output only after Write returned, and kills it with no chance to tidy up.
func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "killed.db")
	acknowledged := map[string]bool{}
	for round := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		child := exec.CommandContext(ctx, os.Args[0])
		child.Env = append(os.Environ(), childFile+"="+path, fmt.Sprintf("SELTZER_TEST_ROUND=%d", round))
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines, n := bufio.NewScanner(out), 0
		for lines.Scan() { // to the end: what came before the kill counts
			acknowledged[lines.Text()] = true
			if n++; n == 300 {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = child.Wait()
		cancel()
		if n < 300 {
			t.Fatalf("round %d: the child ended by itself after %d rows", round, n)
		}
	}
	db := openAt(t, path)
	got := names(t, db)
	for name := range acknowledged {
		if !got[name] {
			t.Errorf("row %s was acknowledged and is missing", name)
		}
	}
	if ok := column(t, db, "PRAGMA integrity_check"); !ok["ok"] {
		t.Errorf("integrity check: %v", ok)
	}
	t.Logf("%d rows acknowledged in 3 lives, %d there", len(acknowledged), len(got))
}

func writeForever(path string) {
	db, err := sqlitedb.Open(path)
	if err == nil {
		err = db.Write(context.Background(), run("CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY)"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%s-%d-%d", os.Getenv("SELTZER_TEST_ROUND"), g, i)
				if err := db.Write(context.Background(), run(insert, name)); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				fmt.Println(name)
			}
		})
	}
	wg.Wait()
}

func BenchmarkWrite(b *testing.B) {
	for _, clients := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			db := open(b)
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range clients {
				wg.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						if err := db.Write(b.Context(), run(insert, fmt.Sprint(n))); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
		})
	}
}
