"""A video with boxes drawn into every frame."""

from kerazoo.extras import need


def annotate(path, folder, found):
    """Writes `<name>.mp4` with what was found in each frame; sound is left out.

    Args:
        path: the video.
        folder: where the copy goes.
        found: function from a frame, uint8 (H, W, 3), to `(boxes as JSON types, the annotated frame)`.

    Returns:
        [{"frame", "seconds", "width", "height", "boxes"}].

    Raises:
        ImportError: without PyAV.
        ValueError: not a video.
    """
    need("av")
    import av

    rows = []
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    try:
        with av.open(str(path)) as source, av.open(str(folder / f"{path.stem}.mp4"), "w") as target:
            if not source.streams.video:
                raise ValueError(f"{path} must have pictures. It has none.")
            stream = source.streams.video[0]
            stream.thread_type = "AUTO"
            out = target.add_stream(codec, rate=stream.average_rate or 25)
            out.pix_fmt = "yuv420p"
            for number, frame in enumerate(source.decode(stream)):
                pixels = frame.to_ndarray(format="rgb24")
                boxes, drawn = found(pixels)
                height, width = pixels.shape[:2]
                if number == 0:
                    out.width, out.height = width // 2 * 2, height // 2 * 2  # The codec takes even sides.
                even = av.VideoFrame.from_ndarray(drawn[: out.height, : out.width].copy(), format="rgb24")
                for packet in out.encode(even):
                    target.mux(packet)
                seconds = None if frame.time is None else round(float(frame.time), 3)
                rows.append({"frame": number, "seconds": seconds, "width": width, "height": height, "boxes": boxes})
            for packet in out.encode():
                target.mux(packet)
    except av.error.FFmpegError as error:
        raise ValueError(f"{path} must be a video that FFmpeg reads: {error}.") from error
    return rows
