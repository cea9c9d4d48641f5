// The Hydrant SDK for Go. Projects carry a copy of the folder's .go files as a package of their own module, without this
// file; only the guests of this repository name it as a module. Refuses dependencies.
module hydrant.plugin/hydrant

go 1.24
