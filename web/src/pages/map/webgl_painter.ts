/** Points as soft round dots, all of them in one call of WebGL 2. */
import type { Look, Painter, Sight } from "./painter";
import type { Points } from "./points";

const VERTEX = `#version 300 es
in vec2 place;
in float score;
in float mark;
uniform vec2 scale;
uniform vec2 shift;
uniform float size;
uniform vec3 markColour;
uniform sampler2D colours;
out vec4 colour;
void main() {
  gl_Position = vec4(place * scale + shift, 0.0, 1.0);
  gl_PointSize = size * (mark > 0.5 ? 1.4 : 0.85 + 0.45 * score);
  colour = mark > 0.5 ? vec4(markColour, 1.0) : texture(colours, vec2(score, 0.5));
}`;
const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 colour;
out vec4 pixel;
void main() {
  float cover = 1.0 - smoothstep(0.7, 1.0, 2.0 * length(gl_PointCoord - 0.5));
  pixel = vec4(colour.rgb, 1.0) * colour.a * cover;
}`;

export class WebglPainter implements Painter {
  readonly name = "webgl";
  private readonly scores: WebGLBuffer;
  private readonly marks: WebGLBuffer;
  private readonly order: WebGLBuffer;
  private readonly uniforms: Record<"scale" | "shift" | "size" | "markColour", WebGLUniformLocation | null>;

  /** Null where there is no WebGL 2, or only an emulated one, which is slower than `PixelPainter`. */
  static make(canvas: HTMLCanvasElement, points: Points): WebglPainter | null {
    if (isEmulated()) return null; // asked first: a canvas keeps the first kind of context that it gave
    const gl = canvas.getContext("webgl2", { antialias: false, depth: false });
    return gl ? new WebglPainter(gl, points) : null;
  }

  private constructor(
    private readonly gl: WebGL2RenderingContext,
    private readonly points: Points,
  ) {
    const program = link(gl);
    gl.useProgram(program);
    const places = new Float32Array(2 * points.n);
    for (let point = 0; point < points.n; point++) {
      places[2 * point] = points.x[point]!;
      places[2 * point + 1] = points.y[point]!;
    }
    const attribute = (name: string, data: ArrayBufferView<ArrayBuffer> | null, size: number, type: number): WebGLBuffer => {
      const buffer = gl.createBuffer();
      const at = gl.getAttribLocation(program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      if (data) gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
      else gl.bufferData(gl.ARRAY_BUFFER, points.n, gl.DYNAMIC_DRAW);
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, size, type, type === gl.UNSIGNED_BYTE, 0, 0);
      return buffer;
    };
    attribute("place", places, 2, gl.FLOAT);
    this.scores = attribute("score", null, 1, gl.UNSIGNED_BYTE);
    this.marks = attribute("mark", null, 1, gl.UNSIGNED_BYTE);
    this.order = gl.createBuffer();
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.order);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    const uniform = (name: string) => gl.getUniformLocation(program, name);
    this.uniforms = { scale: uniform("scale"), shift: uniform("shift"), size: uniform("size"), markColour: uniform("markColour") };
  }

  setLook(look: Look): void {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.scores);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, look.scores);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.marks);
    // Marks are read as shares of 255.
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, look.marks.map((mark) => 255 * mark));
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, look.order, gl.DYNAMIC_DRAW);
    const [red, green, blue] = look.markColour;
    gl.uniform3f(this.uniforms.markColour, red / 255, green / 255, blue / 255);
    const texels = new Uint8Array(look.colours);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, texels);
  }

  paint(sight: Sight): void {
    const { gl } = this;
    gl.viewport(0, 0, sight.width, sight.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform2f(this.uniforms.scale, ...sight.scale);
    gl.uniform2f(this.uniforms.shift, ...sight.shift);
    gl.uniform1f(this.uniforms.size, sight.size);
    gl.drawElements(gl.POINTS, this.points.n, gl.UNSIGNED_INT, 0);
  }

  close(): void {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/** Whether WebGL is done by the processor: its drivers say so by name, and nothing else does reliably. */
function isEmulated(): boolean {
  const gl = document.createElement("canvas").getContext("webgl2");
  const details = gl?.getExtension("WEBGL_debug_renderer_info");
  const renderer: unknown = details ? gl?.getParameter(details.UNMASKED_RENDERER_WEBGL) : "";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(String(renderer));
}

function link(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(type)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost())
    throw new Error(`the map's shaders do not link: ${gl.getProgramInfoLog(program) ?? ""}`);
  return program;
}
