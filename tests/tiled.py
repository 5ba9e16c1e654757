"""Rasters cut into tiles, and the VRT that gdalbuildvrt would write of them."""

import rasterio
from rasterio.windows import Window

TYPES = {"float32": "Float32", "float64": "Float64", "int16": "Int16", "uint8": "Byte", "int32": "Int32"}


def cut(whole, folder, boxes):
    """Write the rectangles ``((top, bottom), (left, right))`` of a raster, in pixels, each to a file of its own."""
    paths = []
    with rasterio.open(whole) as source:
        for number, ((r0, r1), (c0, c1)) in enumerate(boxes):
            window = Window(c0, r0, c1 - c0, r1 - r0)
            profile = source.profile | {
                "height": r1 - r0, "width": c1 - c0, "transform": source.window_transform(window), "tiled": False,
            }  # fmt: skip
            profile.pop("blockxsize", None), profile.pop("blockysize", None)
            paths.append(folder / f"tile{number}.tif")
            with rasterio.open(paths[-1], "w", **profile) as out:
                out.write(source.read(window=window))
    return paths


def vrt(path, whole, tiles, *, change=lambda text: text):
    """Write a VRT of tiles on the grid of a whole raster."""
    with rasterio.open(whole) as grid:
        transform, kind, nodata = grid.transform, TYPES[grid.dtypes[0]], grid.nodata
        lines = [
            f'<VRTDataset rasterXSize="{grid.width}" rasterYSize="{grid.height}">',
            f'  <SRS dataAxisToSRSAxisMapping="1,2">{grid.crs.to_wkt().replace("<", "&lt;")}</SRS>',
            f"  <GeoTransform>{', '.join(f'{v:.16e}' for v in transform.to_gdal())}</GeoTransform>",
            f'  <VRTRasterBand dataType="{kind}" band="1">',
            *([f"    <NoDataValue>{nodata:g}</NoDataValue>"] if nodata is not None else []),
        ]
    for tile in tiles:
        with rasterio.open(tile) as one:
            column, row = ~transform @ (one.transform.c, one.transform.f)
            size = f'xSize="{one.width}" ySize="{one.height}"'
            lines += [
                "    <ComplexSource>",
                f'      <SourceFilename relativeToVRT="1">{tile.relative_to(path.parent)}</SourceFilename>',
                "      <SourceBand>1</SourceBand>",
                f'      <SourceProperties RasterXSize="{one.width}" RasterYSize="{one.height}" DataType="{kind}" />',
                f'      <SrcRect xOff="0" yOff="0" {size} />',
                f'      <DstRect xOff="{column:.12g}" yOff="{row:.12g}" {size} />',
                *([f"      <NODATA>{one.nodata:g}</NODATA>"] if one.nodata is not None else []),
                "    </ComplexSource>",
            ]
    path.write_text(change("\n".join([*lines, "  </VRTRasterBand>", "</VRTDataset>", ""])), encoding="utf-8")
    return path
