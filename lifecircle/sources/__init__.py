"""Read the world and judge nothing: OSM files and rasters become frames and arrays with a documented schema."""
