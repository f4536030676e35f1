package format

const knownFile = ""
