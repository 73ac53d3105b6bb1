package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/holdings/firestoreholdings"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/firestorejobs"
)

// fieldsOfIndex is an index as the store lists it, and as Firestore does, which adds the
// document's name at its end.
type fieldsOfIndex []struct{ FieldPath, Order, ArrayConfig string }

func (f fieldsOfIndex) String() string {
	var words []string
	for _, field := range f {
		if field.FieldPath != "__name__" {
			words = append(words, field.FieldPath+" "+strings.ToLower(field.Order+field.ArrayConfig))
		}
	}
	return strings.Join(words, ", ")
}

// needed is what the stores' queries need of the database.
type needed struct {
	Indexes []struct {
		CollectionGroup string
		Fields          fieldsOfIndex
	}
	FieldOverrides []struct {
		CollectionGroup, FieldPath string
		TTL                        bool
		Indexes                    []any
	}
}

// needs reads the stores' lists.
func needs() (all needed, err error) {
	for _, list := range [][]byte{firestorejobs.Indexes, firestoreholdings.Indexes} {
		var one needed
		if err := json.Unmarshal(list, &one); err != nil {
			return all, err
		}
		all.Indexes, all.FieldOverrides = append(all.Indexes, one.Indexes...), append(all.FieldOverrides, one.FieldOverrides...)
	}
	return all, nil
}

// databaseChecks look at the database, its indexes and how long its documents live.
func (d *deployment) databaseChecks() []check {
	list, err := needs()
	if err != nil {
		return []check{{"indexes", func(context.Context) verdict { return unseen("the list of indexes cannot be read: %v", err) }}}
	}
	name := d.databaseName()
	database := d.once(func(ctx context.Context) any {
		var database struct{ Type string }
		if err := d.get(ctx, firestoreAPI, d.database(), &database); err != nil {
			return there(err, "database "+name)
		}
		return same(database.Type, "FIRESTORE_NATIVE", "the type of a database stays: make another one")
	})
	all := []check{{"database", func(ctx context.Context) verdict { return database(ctx).(verdict) }}}
	// of adds a check of a database that is there.
	of := func(what string, look func(context.Context) verdict) {
		all = append(all, check{what, func(ctx context.Context) verdict {
			if database(ctx).(verdict).outcome != OK {
				return unseen("the database %s was not found", name)
			}
			return look(ctx)
		}})
	}
	for _, index := range list.Indexes {
		of(fmt.Sprintf("index of %s by %v", index.CollectionGroup, index.Fields), func(ctx context.Context) verdict {
			return d.indexed(ctx, index.CollectionGroup, index.Fields.String())
		})
	}
	own := map[string]map[string]int{} // how many indexes of its own a field has, by collection
	for _, field := range list.FieldOverrides {
		if field.TTL {
			of(fmt.Sprintf("time to live of %s", field.CollectionGroup), func(ctx context.Context) verdict {
				return d.lives(ctx, field.CollectionGroup, field.FieldPath)
			})
		}
		if own[field.CollectionGroup] == nil {
			own[field.CollectionGroup] = map[string]int{}
		}
		own[field.CollectionGroup][field.FieldPath] = len(field.Indexes)
	}
	for _, group := range slices.Sorted(maps.Keys(own)) {
		of("indexes of single fields of "+group, func(ctx context.Context) verdict { return d.single(ctx, group, own[group]) })
	}
	return all
}

// indexed looks for an index of a collection.
func (d *deployment) indexed(ctx context.Context, group, want string) verdict {
	var there struct {
		Indexes []struct {
			State  string
			Fields fieldsOfIndex
		}
	}
	if err := d.get(ctx, firestoreAPI, d.database()+"/collectionGroups/"+group+"/indexes", &there); err != nil {
		return unseen("the indexes of %s could not be read: %v", group, err)
	}
	for _, i := range there.Indexes {
		switch {
		case i.Fields.String() != want:
		case i.State != "READY":
			return failed("wait until it is built: gcloud firestore indexes composite list --database="+d.databaseName(), "it is %s, not READY", i.State)
		default:
			return ok("it is ready")
		}
	}
	return failed(apply, "it is not there: queries fail that need it")
}

// field is what Firestore says of a field. Source: Firestore API v1, resource
// projects.databases.collectionGroups.fields.
type field struct {
	IndexConfig *struct {
		Indexes            []any
		UsesAncestorConfig bool
	}
	TTL *struct{ State string } `json:"ttlConfig"`
}

func (d *deployment) field(ctx context.Context, group, name string) (*field, error) {
	f := new(field)
	return f, d.get(ctx, firestoreAPI, d.database()+"/collectionGroups/"+group+"/fields/"+name, f)
}

// lives looks whether documents are deleted by themselves.
func (d *deployment) lives(ctx context.Context, group, name string) verdict {
	f, err := d.field(ctx, group, name)
	if err != nil && status(err) != http.StatusNotFound {
		return unseen("the field %s could not be read: %v", name, err)
	}
	if err != nil || f.TTL == nil || f.TTL.State == "NEEDS_REPAIR" {
		return failed(apply, "documents of %s are not deleted at %s", group, name)
	}
	return ok("by %s", name)
}

// single looks whether fields have the indexes of their own that they should, which is none
// for most: one that grows with time would make all writes meet at one place.
func (d *deployment) single(ctx context.Context, group string, own map[string]int) verdict {
	var other []string
	for _, name := range slices.Sorted(maps.Keys(own)) {
		f, err := d.field(ctx, group, name)
		if err != nil && status(err) != http.StatusNotFound {
			return unseen("the field %s could not be read: %v", name, err)
		}
		if err != nil || f.IndexConfig == nil || len(f.IndexConfig.Indexes) != own[name] || f.IndexConfig.UsesAncestorConfig {
			other = append(other, name)
		}
	}
	if len(other) > 0 {
		return failed(apply, "%s have others than they should: queries fail, or writes meet at one place", strings.Join(other, ", "))
	}
	return ok("%d fields", len(own))
}
